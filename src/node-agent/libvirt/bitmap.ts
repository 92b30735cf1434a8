import { z } from 'zod';
import { type Checkpoint, redefineCheckpoint } from './checkpoint.ts';
import type { Domain } from './domain.ts';
import type { DomainDisk } from './domain-xml.ts';
import { isRefusal, LibvirtError } from './errors.ts';
import type { Virsh } from './virsh.ts';

/**
 * Whether an incremental backup can stand on a disk's bitmap. `inconsistent`: QEMU was killed while it had the bitmap
 * open, or the bitmap does not record. `missing`: it was never written, or went with its image.
 */
export type BitmapState = 'usable' | 'missing' | 'inconsistent';

/**
 * Makes libvirt know the checkpoint over exactly those disks whose bitmap is usable, and says how each disk stands.
 *
 * libvirt's own validation decides, since backup-begin will judge by the same rule; it names one broken disk at a time,
 * so it is asked again without that disk. Only when a disk is broken, QEMU is asked why: that query taints the domain
 * (`custom-monitor`, a line in the launcher's log), which is no price for a healthy VM to pay.
 *
 * @param domain as read just now: a target that it does not have is `missing` (libvirt itself would pass it).
 */
export async function adoptCheckpoint(
  virsh: Virsh,
  domain: Pick<Domain, 'name' | 'disks'>,
  checkpoint: Checkpoint,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, BitmapState>> {
  const present = new Set(domain.disks.map((disk) => disk.target));
  let rest = checkpoint.targets.filter((target) => present.has(target));
  while (rest.length > 0) {
    const broken = await firstBroken(virsh, domain.name, { ...checkpoint, targets: rest }, signal);
    if (broken === undefined) break;
    rest = rest.filter((target) => target !== broken);
  }
  const usable = new Set(rest);
  const why =
    usable.size === checkpoint.targets.length
      ? new Map<string, BitmapState>()
      : await readBrokenBitmaps(virsh, domain, checkpoint.name, signal);
  return new Map(
    checkpoint.targets.map((target) => [
      target,
      usable.has(target) ? 'usable' : (why.get(target) ?? 'missing'),
    ]),
  );
}

async function firstBroken(
  virsh: Virsh,
  domain: string,
  checkpoint: Checkpoint,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    await redefineCheckpoint(virsh, domain, { ...checkpoint, validate: true }, signal);
    return undefined;
  } catch (error) {
    if (!isRefusal(error, 'CheckpointInconsistent')) throw error;
    if (error.disk !== undefined && checkpoint.targets.includes(error.disk)) return error.disk;
    throw new LibvirtError(
      `libvirt calls checkpoint ${checkpoint.name} of ${domain} inconsistent, but names no disk of it: ${error.message}`,
      { reason: 'UnexpectedAnswer' },
      { cause: error },
    );
  }
}

/** The two members of QMP's BlockDeviceInfo (qapi/block-core.json) that we read. */
const Nodes = z.object({
  return: z.array(
    z.object({
      'node-name': z.string().optional(),
      'dirty-bitmaps': z.array(z.object({ name: z.string().optional() })).optional(),
    }),
  ),
});

async function readBrokenBitmaps(
  virsh: Virsh,
  domain: Pick<Domain, 'name' | 'disks'>,
  bitmap: string,
  signal?: AbortSignal,
): Promise<Map<string, BitmapState>> {
  const query = JSON.stringify({ execute: 'query-named-block-nodes', arguments: { flat: true } });
  const answer = await virsh(['qemu-monitor-command', domain.name, query], {}, signal);
  return new Map(
    domain.disks.map((disk) => [disk.target, bearsBitmap(answer, disk, bitmap) ? 'inconsistent' : 'missing']),
  );
}

/** Whether the disk's top image bears the bitmap in any state, by the answer to `query-named-block-nodes`. */
export function bearsBitmap(answer: string, disk: DomainDisk, bitmap: string): boolean {
  const node = Nodes.parse(JSON.parse(answer)).return.find(
    (node) => node['node-name'] === `libvirt-${disk.sourceIndex}-format`,
  );
  return node?.['dirty-bitmaps']?.some(({ name }) => name === bitmap) === true;
}
