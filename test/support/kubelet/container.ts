import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Device } from './devices.ts';
import type { Pod } from './kubelet.ts';
import type { Mount } from './volumes.ts';

/** How a container ended, as a kubelet tells it. */
export interface Terminated {
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly finishedAt: string;
}

export interface Container {
  readonly pod: Pod;
  log(): Promise<string>;
  /** Undefined as long as it runs. */
  ended(): Terminated | undefined;
  kill(): Promise<void>;
  /** SIGTERM, and SIGKILL for who is still there when the grace is over. */
  stop(graceMs: number): Promise<void>;
}

/** Of FallbackToLogsOnError: so much of the log's end becomes the message. Source: kubernetes, pkg/kubelet/kuberuntime. */
const MESSAGE_BYTES = 2048;

/**
 * Its mounts are its own, under a tmpfs at /mnt, and so is /dev if it has devices, which are its user's (CRI's
 * device_ownership_from_security_context); then it becomes the pod's user, without any capability.
 */
const SCRIPT = `
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
if [ "$1" != -- ]; then
  mkdir /mnt/.dev
  for name in null urandom; do touch "/mnt/.dev/$name"; mount --bind "/dev/$name" "/mnt/.dev/$name"; done
  while [ "$1" != -- ]; do
    mknod -m 0660 "/mnt/.dev/\${1#/dev/}" b "$2" "$3"
    chown "$4" "/mnt/.dev/\${1#/dev/}"
    shift 4
  done
  mount --rbind /mnt/.dev /dev
fi
shift
while [ "$1" != -- ]; do
  mkdir -p "$2"
  mount --bind "$1" "$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$2"
  shift 3
done
shift
exec "$@"
`;

/** Starts what the pod's one container says, with this source tree's mover in the place of the image's. */
export async function startContainer(
  pod: Pod,
  mounts: readonly Mount[],
  devices: readonly Device[],
  logFile: string,
): Promise<Container> {
  const { runAsUser, runAsGroup, supplementalGroups, fsGroup } = pod.spec.securityContext;
  const [container] = pod.spec.containers;
  const groups = [...new Set([runAsGroup, fsGroup, ...supplementalGroups])].join(',');
  const environment = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
  const child = spawn(
    'unshare',
    [
      ...[
        '--mount',
        '--propagation',
        'private',
        '--kill-child',
        '--fork',
        '--pid',
        '--',
        'sh',
        '-c',
        SCRIPT,
        'sh',
      ],
      ...devices.flatMap(({ major, minor, to }) => [to, `${major}`, `${minor}`, `${runAsUser}:${fsGroup}`]),
      '--',
      ...mounts.flatMap(({ from, to, readOnly }) => [from, to, readOnly ? 'ro' : 'rw']),
      '--',
      ...['setpriv', '--reuid', String(runAsUser), '--regid', String(runAsGroup), '--groups', groups],
      ...['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', '--'],
      ...['/mnt/node/node', programOf(container?.command), ...(container?.args ?? [])],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '', ...environment } },
  );
  const log = createWriteStream(logFile);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  let terminated: Terminated | undefined;
  const gone = (async () => {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    await new Promise<void>((resolve) => log.end(resolve));
    terminated = await told(code ?? (signal === 'SIGKILL' ? 137 : 143), logFile);
  })();
  return {
    pod,
    log: () => readFile(logFile, 'utf8'),
    ended: () => terminated,
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
    async stop(graceMs) {
      const killer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      for (const pid of await childrenOf(child.pid)) signalTo(pid, 'SIGTERM');
      await gone;
      clearTimeout(killer);
    },
  };
}

/** `unshare` passes no signal on: it is its child that is the container's first process. */
async function childrenOf(pid = 0): Promise<readonly number[]> {
  const listed = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return listed.split(' ').filter(Boolean).map(Number);
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

/** `node dist/mover.js` of the image is `dist` of this source tree. */
function programOf(command: readonly string[] = []): string {
  return `/mnt/${command[1] ?? ''}`;
}

async function told(exitCode: number, logFile: string): Promise<Terminated> {
  const log = exitCode === 0 ? '' : await readFile(logFile, 'utf8');
  return {
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    message: log.slice(-MESSAGE_BYTES),
    finishedAt: new Date().toISOString(),
  };
}
