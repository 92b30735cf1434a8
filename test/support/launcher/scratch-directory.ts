import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ScratchDirectory extends AsyncDisposable {
  readonly path: string;
}

/**
 * A temporary directory that goes away with its owner. A small shell holds the other end of a pipe: when this
 * process disposes of the directory, or dies in any way (SIGKILL too), the pipe closes and the shell removes it.
 * The removal is tried again for some seconds, as a dying QEMU may still create a file.
 */
export async function scratchDirectory(prefix = 'tidemark-'): Promise<ScratchDirectory> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  await chmod(path, 0o750); // for the group, too, as the kubelet's directories are: the agent is not root
  const script =
    'cat >/dev/null; for _ in $(seq 50); do rm -rf -- "$1" 2>/dev/null && exit 0; sleep 0.1; done; exit 1';
  const remover = spawn('sh', ['-c', script, 'sh', path], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // A Ctrl-C at the terminal must not reach it.
  });
  const gone = once(remover, 'exit');
  remover.unref();
  // Neither the process nor the pipe is a reason to stay alive.
  if (remover.stdin instanceof Socket) remover.stdin.unref();
  return {
    path,
    async [Symbol.asyncDispose]() {
      remover.ref();
      remover.stdin.end();
      const [code] = await gone;
      if (code !== 0) throw new Error(`could not remove ${path}: look for files in use there`);
    },
  };
}
