import { existsSync, readFileSync } from 'node:fs';
import { runMover } from '../../../src/node-agent/mover-process/spawn.ts';
import { placeOf } from '../../../src/node-agent/repository/place.ts';
import { never, repository } from './stage.ts';

/** Scenarios about what the agent and its movers may do, and what they are told. */

export const PASSWORD = `s3cret 'q" $HOME \`id\` \\n %s`;

/** Lines of /proc/self/status. */
const RIGHTS = new Set(['Uid', 'Gid', 'CapInh', 'CapPrm', 'CapEff', 'CapAmb', 'CapBnd', 'NoNewPrivs']);

function rightsIn(status: string): Record<string, string> {
  const lines = status.split('\n').map((line) => line.split(/:?\s+/) as [string, string]);
  return Object.fromEntries(lines.filter(([name]) => RIGHTS.has(name)));
}

/** What the agent is, what a mover is once its repository is mounted, and what a mover gains by the programs that may mount. */
export async function rights() {
  const place = repository();
  const program = `const { spawnSync } = require('node:child_process');
    const tried = (command, ...args) => spawnSync(command, args, { encoding: 'utf8' });
    const said = ({ error, stderr }) => error?.code ?? stderr.trim();
    console.log(JSON.stringify({
      status: require('node:fs').readFileSync('/proc/self/status', 'utf8'),
      unshare: said(tried('unshare', '--mount', 'true')),
      mount: said(tried('mount', process.argv[1])),
    }));`;
  const mover = [process.execPath, '-e', program];
  const seen = await runMover({ mover, place, args: [place.root], stallMs: 60_000 }, never);
  const { status, ...refused } = seen as { status: string; unshare: string; mount: string };
  return { agent: rightsIn(readFileSync('/proc/self/status', 'utf8')), mover: rightsIn(status), ...refused };
}

/** The way of a password from the agent to the program that mounts the share: a stand-in (mount.cifs). */
export async function share() {
  const cifs = { server: 'nas', share: 'v m', version: '3.1.1', encrypt: false, secretName: 'nas' } as const;
  const place = placeOf('nas', { cifs }, {});
  const program = `process.stdin.once('data', (line) => {
    const left = require('node:fs').readdirSync('/mnt/tidemark');
    console.log(JSON.stringify({ job: String(line), left }));
    process.exit(0);
  });`;
  const mover = [process.execPath, '-e', program, '--'];
  const credentials = async () => ['username=backup', `password=${PASSWORD}`];
  const run = { place, mover, args: [], job: '{"volume":"root"}', credentials, stallMs: 60_000 };
  const seen = await runMover(run, never);
  const told = (name: string) => readFileSync(`/tmp/share.${name}`, 'utf8');
  return {
    mover: seen as object,
    credentials: told('credentials'),
    processes: told('processes'),
    arguments: told('arguments'),
    leftBehind: existsSync('/mnt/tidemark/credentials'),
  };
}
