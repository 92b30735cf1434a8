import { randomBytes, randomUUID } from 'node:crypto';
import process from 'node:process';
import { Aborted } from './errors.ts';
import { runMover } from './run.ts';

const abort = new AbortController();
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(name, () => abort.abort(new Aborted(`signal ${name}`)));
}
// Nobody reads any more: go on to a proper end, the signal or the end of standard input says what to do.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const code = await runMover(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  now: () => new Date(),
  randomId: randomUUID,
  randomBytes,
  abort,
});
// Standard input may still be open, held by the caller: do not wait for it.
process.exit(code);
