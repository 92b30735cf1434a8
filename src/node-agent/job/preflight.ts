import type { DiskDecision } from '../../domain/disk-decision.ts';
import { type DiskEstimate, estimatedBytes, noRoom } from '../../domain/room.ts';
import { readChangedBytes } from '../libvirt/checkpoint.ts';
import { readAllocatedBytes } from '../libvirt/domain.ts';
import { LibvirtError } from '../libvirt/errors.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { AttemptFailed } from './attempt-failed.ts';
import type { PlannedDomainDisk } from './observe-parent.ts';

/**
 * The last look before the guest is touched: can the repository be written, and does the backup find room in it? What changed is
 * known to the byte, from the bitmaps; of a full it is what the disk's file has allocated. Resolves to the bytes that it takes at
 * most, as far as is known.
 *
 * @throws AttemptFailed `RepositoryTooFull`, with the numbers; MoverFailed when the repository cannot be written.
 */
export async function preflight(
  attempt: Attempt,
  vm: RunningVm,
  planned: readonly PlannedDomainDisk[],
  decisions: readonly DiskDecision[],
  signal: AbortSignal,
): Promise<number> {
  const { freeBytes } = await attempt.mover.probe(signal);
  const estimates = await estimate(attempt, vm, planned, decisions, signal);
  const why = noRoom(estimates, freeBytes);
  if (why !== undefined) throw new AttemptFailed(why.reason, why.message);
  return estimatedBytes(estimates);
}

async function estimate(
  { plan, log }: Attempt,
  { virsh, domain }: RunningVm,
  planned: readonly PlannedDomainDisk[],
  decisions: readonly DiskDecision[],
  signal: AbortSignal,
): Promise<readonly DiskEstimate[]> {
  const typeOf = new Map(decisions.map(({ volume, type }) => [volume, type]));
  const estimates: DiskEstimate[] = [];
  try {
    const isIncremental = decisions.some(({ type }) => type === 'Incremental');
    const changed =
      isIncremental && plan.parent !== undefined
        ? await readChangedBytes(virsh, domain.name, plan.parent.bitmap, signal)
        : new Map<string, number>();
    for (const { volume, disk } of planned) {
      const type = typeOf.get(volume) ?? 'Full';
      const bytes =
        type === 'Incremental'
          ? changed.get(disk.target)
          : await readAllocatedBytes(virsh, domain.name, disk, signal);
      estimates.push({ volume, type, bytes });
    }
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    log.warn({ err: error }, 'the size of the backup could not be estimated');
  }
  return estimates;
}
