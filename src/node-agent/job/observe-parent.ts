import { posix } from 'node:path';
import type { Plan } from '../../crds/vmbackup.ts';
import type { ObservedDisk } from '../../domain/disk-decision.ts';
import type { InspectResult } from '../../domain/mover-report.ts';
import { parentData } from '../../domain/parent-data.ts';
import { adoptCheckpoint, type BitmapState } from '../libvirt/bitmap.ts';
import type { Domain } from '../libvirt/domain.ts';
import { type DomainDisk, trackable } from '../libvirt/domain-xml.ts';
import type { Virsh } from '../libvirt/virsh.ts';
import type { Mover } from '../mover-process/mover.ts';
import { AttemptFailed } from './attempt-failed.ts';
import { epochOf } from './names.ts';

/** A planned volume, and the disk of the domain that it is. */
export interface PlannedDomainDisk {
  readonly volume: string;
  readonly disk: DomainDisk;
}

/** Finds each planned volume in the domain. @throws AttemptFailed `VolumeNotAttached`. */
export function plannedDisks(plan: Plan, domain: Domain): readonly PlannedDomainDisk[] {
  return plan.disks.map(({ volume }) => {
    const disk = domain.disks.find((candidate) => candidate.volume === volume);
    if (disk) return { volume, disk };
    throw new AttemptFailed(
      'VolumeNotAttached',
      `The running VM has no disk for its volume '${volume}': it was unplugged, or is not plugged in yet.`,
    );
  });
}

/**
 * Looks at everything an incremental would stand on: the parent's bitmap on each disk, and the parent's data in the
 * repository. Afterwards libvirt knows the parent's checkpoint over the disks whose bitmap is usable, and over no other.
 */
export async function observeParent(
  plan: Plan,
  disks: readonly PlannedDomainDisk[],
  vm: { readonly virsh: Virsh; readonly domain: Domain },
  mover: Mover,
  signal: AbortSignal,
): Promise<readonly ObservedDisk[]> {
  const wanted = new Map(plan.disks.map((disk) => [disk.volume, disk]));
  const candidates = disks.filter(
    ({ volume, disk }) => trackable(disk) && wanted.get(volume)?.type === 'Incremental',
  );
  const bitmaps = await bitmapStates(plan, candidates, vm, signal);
  const parents = await inspectParents(plan, mover, signal);
  return disks.map(({ volume, disk }) => {
    const path = wanted.get(volume)?.parentPath;
    return {
      volume,
      trackable: trackable(disk),
      bitmap: bitmaps.get(disk.target) ?? 'unknown',
      parentData:
        path === undefined ? 'unknown' : parentData(parents.get(path), volume, posix.basename(path)),
    };
  });
}

async function bitmapStates(
  plan: Plan,
  candidates: readonly PlannedDomainDisk[],
  { virsh, domain }: { readonly virsh: Virsh; readonly domain: Domain },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, BitmapState>> {
  if (plan.parent === undefined || candidates.length === 0) return new Map();
  const { bitmap } = plan.parent;
  const targets = candidates.map(({ disk }) => disk.target);
  return adoptCheckpoint(
    virsh,
    domain,
    { name: bitmap, creationTimeSeconds: epochOf(bitmap), targets },
    signal,
  );
}

async function inspectParents(
  plan: Plan,
  mover: Mover,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, InspectResult>> {
  const paths = new Set(
    plan.disks.flatMap(({ parentPath }) => (parentPath === undefined ? [] : [parentPath])),
  );
  const found = new Map<string, InspectResult>();
  for (const path of paths) found.set(path, await mover.inspect(path, signal));
  return found;
}
