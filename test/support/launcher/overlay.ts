import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Disk, exists } from './disks.ts';
import { QEMU_ID } from './pod-tree.ts';

/** QEMU's storage daemon did not make the overlay; the message says what it answered. */
export class OverlayNotMade extends Error {
  readonly reason = 'OverlayNotMade';

  constructor(disk: Disk, said: string, cause?: unknown) {
    super(`no CBT overlay for volume ${disk.volume} (${disk.podOverlay}): ${said}`, { cause });
    this.name = 'OverlayNotMade';
  }
}

const qmpMessage = z
  .object({ return: z.unknown(), error: z.object({ desc: z.string() }).optional() })
  .partial();

/** Sends a QMP command and returns its result. */
type Execute = (command: string, args?: object) => Promise<unknown>;

/**
 * Makes the CBT overlay of a disk as KubeVirt's launcher does (pkg/virt-launcher/virtwrap/storage/cbt.go): in the
 * pod, as uid 107, with qemu-storage-daemon and blockdev-create; not at all if the file exists. `qemu-img create
 * -o data_file=` would wipe the disk.
 *
 * @param initPid the pod's PID 1, whose mounts are used.
 */
export async function createOverlay(initPid: number, disk: Disk): Promise<void> {
  if (await exists(disk.overlay)) return;
  await writeFile(disk.overlay, '');
  await chown(disk.overlay, QEMU_ID, QEMU_ID);
  try {
    await formatOverlay(initPid, disk, AbortSignal.timeout(30_000)); // KubeVirt's time limit
  } catch (error) {
    await rm(disk.overlay);
    throw error;
  }
}

async function formatOverlay(initPid: number, disk: Disk, signal: AbortSignal): Promise<void> {
  const inPod = [`--target=${initPid}`, '--mount', '--'];
  const asQemu = ['setpriv', '--reuid=107', '--regid=107', '--clear-groups', '--pdeathsig=KILL'];
  const onStdio = ['qemu-storage-daemon', '--chardev=stdio,id=stdio', '--monitor=stdio'];
  const overlay = `--blockdev=file,node-name=file,filename=${disk.podOverlay}`;
  const data = `--blockdev=file,node-name=data-file,filename=${disk.podImage}`;
  const argv = [...inPod, ...asQemu, ...onStdio, overlay, data];
  const daemon = spawn('nsenter', argv, { stdio: 'pipe', signal, killSignal: 'SIGKILL' });
  let stderr = '';
  daemon.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  daemon.stdin.on('error', () => {}); // Its exit says more than EPIPE.
  const closed = once(daemon, 'close');
  closed.catch(() => {}); // An abort: seen below as the end of its output.
  const lines = createInterface({ input: daemon.stdout })[Symbol.asyncIterator]();

  const execute: Execute = async (command, args = {}) => {
    daemon.stdin.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new OverlayNotMade(disk, `the storage daemon ended: ${stderr.trim()}`, signal.reason);
      const message = qmpMessage.parse(JSON.parse(value));
      if (message.error) throw new OverlayNotMade(disk, `${command}: ${message.error.desc}`);
      if ('return' in message) return message.return; // The rest is the greeting, and events.
    }
  };

  try {
    await execute('qmp_capabilities');
    await execute('blockdev-create', { 'job-id': 'create', options: overlayOptions(disk) });
    const job = await concluded(execute);
    if (job.error) throw new OverlayNotMade(disk, job.error);
    await execute('job-dismiss', { id: 'create' });
    await execute('quit');
    await closed;
  } finally {
    daemon.kill('SIGKILL');
  }
}

function overlayOptions(disk: Disk) {
  return {
    driver: 'qcow2',
    file: 'file',
    'data-file': 'data-file',
    'data-file-raw': true,
    size: disk.size,
    'cluster-size': disk.clusterSize,
  };
}

const jobs = z.array(z.object({ id: z.string(), status: z.string(), error: z.string().optional() }));

async function concluded(execute: Execute): Promise<z.infer<typeof jobs>[number]> {
  for (;;) {
    const job = jobs.parse(await execute('query-jobs')).find(({ id }) => id === 'create');
    if (job?.status === 'concluded') return job;
    await sleep(5);
  }
}
