import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type OfflineDisk, qemuFailure } from './images.ts';

/** The disks of a stopped VM, served over NBD until it is disposed of. */
export interface Served extends AsyncDisposable {
  readonly socket: string;
}

/** A qcow2 node lets nobody else write below it. A raw one does, and a VM that starts meanwhile would change what is read: so this is asked for. */
const UNSHARED = { 'unshare-child-perms': ['write', 'resize'] } as const;

/** Milliseconds until the storage daemon must listen. */
const LISTEN_MS = 20_000;

/**
 * Serves each disk, read-only, under its volume's name, with this bitmap where the disk has it: one qemu-storage-daemon for all. It holds
 * QEMU's locks on the images, so a VM that starts meanwhile finds them taken: whoever runs this must give way at once.
 * @throws AttemptFailed `VMStarted` when a running VM holds an image, `QemuFailed`
 */
export async function serveDisks(
  disks: readonly OfflineDisk[],
  bitmap: string | undefined,
  socket: string,
): Promise<Served> {
  const server = JSON.stringify({ addr: { type: 'unix', path: socket }, 'max-connections': 32 });
  const nodes = disks.flatMap(nodesOf);
  const exports = disks.flatMap((disk, index) => exportOf(disk, index, bitmap));
  // It listens once it holds all the images: whoever sees the socket knows that no VM runs.
  const args = [...nodes, '--nbd-server', server, ...exports];
  const daemon = spawn('qemu-storage-daemon', args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  let said = '';
  daemon.stderr.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  const gone = once(daemon, 'close').catch((error: unknown) => {
    said += String(error);
  });
  let isGone = false;
  void gone.finally(() => {
    isGone = true;
  });
  for (const end = performance.now() + LISTEN_MS; !(await isThere(socket)); await sleep(20)) {
    if (!isGone && performance.now() < end) continue;
    daemon.kill('SIGKILL');
    await gone;
    throw qemuFailure('qemu-storage-daemon', said || 'it did not listen in time');
  }
  return {
    socket,
    async [Symbol.asyncDispose]() {
      daemon.kill('SIGTERM');
      await gone;
    },
  };
}

function nodesOf({ data, overlay }: OfflineDisk, index: number): readonly string[] {
  const [file, raw, node] = [`file${index}`, `data${index}`, nodeName(index)];
  const readOnly = { 'read-only': true };
  const driver = data.isDevice ? 'host_device' : 'file';
  const below = blockdev({ 'node-name': raw, driver, filename: data.path, ...readOnly });
  if (overlay === null)
    return [
      ...below,
      ...blockdev({ 'node-name': node, driver: 'blkdebug', image: raw, ...UNSHARED, ...readOnly }),
    ];
  const format = { driver: 'qcow2', file, 'data-file': raw, backing: null };
  return [
    ...below,
    ...blockdev({ 'node-name': file, driver: 'file', filename: overlay, ...readOnly }),
    ...blockdev({ 'node-name': node, ...format, ...readOnly }),
  ];
}

function exportOf({ volume, bitmaps }: OfflineDisk, index: number, bitmap?: string): readonly string[] {
  const hasBitmap = bitmap !== undefined && bitmaps.get(bitmap) === 'usable';
  const nbd = { type: 'nbd', id: `export${index}`, 'node-name': nodeName(index), name: volume };
  const bitmapsToo = hasBitmap ? { bitmaps: [bitmap] } : {};
  return ['--export', JSON.stringify({ ...nbd, writable: false, ...bitmapsToo })];
}

function nodeName(index: number): string {
  return `disk${index}`;
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function blockdev(options: object): readonly string[] {
  return ['--blockdev', JSON.stringify(options)];
}
