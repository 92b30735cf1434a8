import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { posix } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { OfflineOrder } from '../../domain/offline-order.ts';
import { AttemptFailed } from '../job/attempt-failed.ts';

const exec = promisify(execFile);

/** A disk of a VM that does not run. */
export interface OfflineDisk {
  readonly volume: string;
  /** The raw bytes: a file or a device. */
  readonly data: { readonly path: string; readonly isDevice: boolean };
  /** KubeVirt's overlay over them, which holds the bitmaps; null if the disk is not tracked. */
  readonly overlay: string | null;
  /** Bitmaps by name: whether each was saved properly. */
  readonly bitmaps: ReadonlyMap<string, 'usable' | 'inconsistent'>;
}

const ImageInfo = z.object({
  'format-specific': z
    .object({
      data: z.object({
        bitmaps: z.array(z.object({ name: z.string(), flags: z.array(z.string()) })).optional(),
      }),
    })
    .optional(),
});

/** QEMU's words for an image that a running VM holds. Seen with QEMU 10.0. */
const LOCKED = /Failed to get (shared )?"?(write|consistent read)"? lock|Is another process using the image/;

/** Finds overlay and bitmaps of each disk. @throws AttemptFailed `VMStarted`, `DiskMissing`, `QemuFailed` */
export async function readDisks({ disks, overlays }: OfflineOrder): Promise<readonly OfflineDisk[]> {
  return await Promise.all(
    disks.map(async ({ volume, path, isDevice }) => {
      const data = { path, isDevice };
      if (!(await exists(path)))
        throw new AttemptFailed(
          'DiskMissing',
          `Volume ${volume}: there is no ${posix.basename(path)} in its claim.`,
        );
      const overlay = overlays === null ? null : posix.join(overlays, `${volume}.qcow2`);
      if (overlay === null || !(await exists(overlay)))
        return { volume, data, overlay: null, bitmaps: new Map() };
      const bitmaps = await readBitmaps({ overlay, data });
      return { volume, data, overlay, bitmaps };
    }),
  );
}

/** `in-use` is set while QEMU has a bitmap open, and stays after a crash. */
async function readBitmaps(disk: Pick<OfflineDisk, 'overlay' | 'data'>): Promise<OfflineDisk['bitmaps']> {
  const info = ImageInfo.parse(JSON.parse(await qemuImg(['info', '--output=json', nodeOf(disk)])));
  const bitmaps = info['format-specific']?.data.bitmaps ?? [];
  return new Map(
    bitmaps.map(({ name, flags }) => [
      name,
      flags.includes('in-use') || !flags.includes('auto') ? 'inconsistent' : 'usable',
    ]),
  );
}

/** Begins a bitmap: from now on QEMU, whenever it opens the overlay, records in it. Fine if it is there. */
export async function addBitmap(disk: OfflineDisk, name: string): Promise<void> {
  if (disk.overlay === null || disk.bitmaps.get(name) === 'usable') return;
  await qemuImg(['bitmap', '--add', nodeOf(disk), name]);
}

/** Removes a bitmap; fine if it is gone. */
export async function removeBitmap(disk: OfflineDisk, name: string): Promise<void> {
  if (disk.overlay === null) return;
  const bitmaps = await readBitmaps(disk);
  if (bitmaps.has(name)) await qemuImg(['bitmap', '--remove', nodeOf(disk), name]);
}

/** The overlay names its data file as it was in the launcher pod; here it lies elsewhere. No overlay of KubeVirt's has a backing file. */
export function nodeOf({ overlay, data }: Pick<OfflineDisk, 'overlay' | 'data'>): string {
  const raw = { driver: data.isDevice ? 'host_device' : 'file', filename: data.path };
  if (overlay === null) return `json:${JSON.stringify({ driver: 'raw', file: raw })}`;
  const file = { driver: 'file', filename: overlay };
  return `json:${JSON.stringify({ driver: 'qcow2', file, 'data-file': raw, backing: null })}`;
}

async function qemuImg(args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await exec('qemu-img', [...args], { env: { ...process.env, LC_ALL: 'C' } });
    return stdout;
  } catch (cause) {
    throw qemuFailure('qemu-img', cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** What QEMU's tools say when they fail, as one of our reasons. */
export function qemuFailure(tool: string, said: string, cause?: unknown): AttemptFailed {
  if (LOCKED.test(said))
    return new AttemptFailed(
      'VMStarted',
      'A running VM holds the disks: the backup gives way, and is planned anew for the running VM.',
      { cause },
    );
  return new AttemptFailed('QemuFailed', `${tool}: ${said.trim().slice(-500)}`, { cause });
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
