import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LibvirtError, readRefusal } from './errors.ts';

export interface VirshCall {
  /** XML documents: each becomes a private temporary file whose path is appended to the arguments. */
  readonly files?: readonly string[];
  /** Milliseconds until the client is killed (default 45 000). */
  readonly timeoutMs?: number;
}

/**
 * One call of the virsh client; resolves with its standard output.
 *
 * @throws LibvirtError with the reason read from virsh's text; `ClientTimeout` when the client had to be killed.
 * @throws the signal's reason when aborted.
 */
export type Virsh = (args: readonly string[], call?: VirshCall, signal?: AbortSignal) => Promise<string>;

/**
 * A call that cannot have the VM is refused by the daemon after 30 s. The client must outlive that: killing it recalls
 * nothing, and the daemon would carry the request out as soon as it can, with nobody there to know.
 */
const patienceMs = 45_000;

/** How one client process ended. */
export interface Exit {
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined when it exited with 0. */
  readonly error?: Error & { readonly code?: unknown; readonly killed?: boolean };
}

/** Runs a program to its end; never rejects. */
export type Run = (
  args: readonly string[],
  options: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
) => Promise<Exit>;

/**
 * A client of the libvirt daemon behind a unix socket. Nothing is kept open between two calls: each takes about 25 ms,
 * and a launcher that vanished is seen at the next call.
 */
export function connectVirsh(at: { readonly socket: string; readonly run?: Run }): Virsh {
  const uri = `qemu+unix:///session?socket=${encodeURIComponent(at.socket)}`;
  const run = at.run ?? runVirsh;
  return async (args, { files = [], timeoutMs = patienceMs } = {}, signal) => {
    signal?.throwIfAborted();
    await using folder = await writeFiles(files);
    const argv = ['-q', '-c', uri, ...args, ...folder.paths];
    const { stdout, stderr, error } = await run(argv, { timeoutMs, signal });
    if (error === undefined) return stdout;
    signal?.throwIfAborted();
    throw explain(args, timeoutMs, stderr, error);
  };
}

function explain(
  args: readonly string[],
  timeoutMs: number,
  stderr: string,
  cause: NonNullable<Exit['error']>,
) {
  const what = `virsh ${args.join(' ').slice(0, 200)}`;
  if (cause.code === 'ENOENT') {
    return new LibvirtError('The program virsh is not installed', { reason: 'VirshMissing' }, { cause });
  }
  if (cause.killed === true) {
    return new LibvirtError(
      `${what} gave no answer in ${timeoutMs} ms`,
      { reason: 'ClientTimeout' },
      { cause },
    );
  }
  const text = stderr
    .trim()
    .replace(/^error: /gm, '')
    .replaceAll(/\s*\n\s*/g, ': ')
    .slice(0, 2000);
  return new LibvirtError(`${what}: ${text || cause.message}`, readRefusal(stderr), { cause });
}

const runVirsh: Run = (args, { timeoutMs, signal }) =>
  new Promise((resolve) => {
    // Nothing else of our environment: LIBVIRT_DEBUG would write into the texts, LIBVIRT_DEFAULT_URI would lead elsewhere.
    const { PATH = '/usr/bin:/bin', HOME = '/' } = process.env;
    execFile(
      'virsh',
      args,
      {
        env: { PATH, HOME, LC_ALL: 'C' },
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 32 * 1024 * 1024,
        ...(signal !== undefined && { signal }),
      },
      (error, stdout, stderr) => resolve(error === null ? { stdout, stderr } : { stdout, stderr, error }),
    );
  });

/** The client opens its files itself, and cannot open the sockets that Node gives a child as pipes. */
async function writeFiles(files: readonly string[]) {
  if (files.length === 0) return { paths: [], [Symbol.asyncDispose]: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-virsh-'));
  const dispose = () => rm(folder, { recursive: true, force: true });
  try {
    const paths = files.map((_, index) => join(folder, `${index}.xml`));
    await Promise.all(files.map((text, index) => writeFile(paths[index] ?? '', text)));
    return { paths, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
