import { posix } from 'node:path';
import type { ExecutedDisk } from '../../crds/vmbackup.ts';
import type { VolumeResult } from '../../domain/mover-report.ts';
import { endBackup } from '../libvirt/backup.ts';
import { trackable } from '../libvirt/domain-xml.ts';
import { ensureCheckpointAbsent } from '../libvirt/ensure-absent.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { socketName } from './names.ts';

/**
 * After the commit: ends libvirt's job, removes the checkpoints that the new one replaces, and reports. Only now may the
 * parent's checkpoint go, for only now is there data that no longer needs it.
 *
 * @param vm undefined when the VM is gone by now: its data is safe all the same.
 */
export async function finish(
  attempt: Attempt,
  vm: RunningVm | undefined,
  volumes: readonly VolumeResult[],
  signal: AbortSignal,
): Promise<void> {
  const { plan, mover, report, log } = attempt;
  if (vm) {
    await endJob(attempt, vm, signal);
    await removeObsolete(attempt, vm, signal);
  }
  await mover.discard(plan.path, signal);
  const disks = withCounts(report.execution.disks ?? [], volumes);
  const bytes = disks.reduce((sum, disk) => sum + (disk.sizeBytes ?? 0), 0);
  const progress = { ...report.execution.progress, percent: 100, doneBytes: bytes, totalBytes: bytes };
  await report.add({ disks, progress, completedAt: attempt.now().toISOString() });
  log.info({ path: plan.path }, 'backup committed');
}

/** Ends our job, and only ours. Fine when it is gone. */
export async function endJob({ plan }: Attempt, vm: RunningVm, signal: AbortSignal): Promise<void> {
  const socket = posix.join(vm.paths.sockets.inside, socketName(plan.bitmap));
  await endBackup(vm.virsh, vm.domain.name, socket, signal);
}

/** Removes the checkpoints of earlier backups of this chain and of those it replaces: only the head remains. */
async function removeObsolete({ plan }: Attempt, vm: RunningVm, signal: AbortSignal): Promise<void> {
  const targets = vm.domain.disks.filter(trackable).map(({ target }) => target);
  const names = new Set([...(plan.obsoleteBitmaps ?? []), ...(plan.parent ? [plan.parent.bitmap] : [])]);
  names.delete(plan.bitmap);
  for (const name of names) await ensureCheckpointAbsent(vm.virsh, vm.domain.name, { name, targets }, signal);
}

function withCounts(disks: readonly ExecutedDisk[], volumes: readonly VolumeResult[]): ExecutedDisk[] {
  const counted = new Map(volumes.map((volume) => [volume.name, volume]));
  return disks.map((disk) => {
    const count = counted.get(disk.volume);
    if (count === undefined) return disk;
    return {
      ...disk,
      sizeBytes: count.virtualSizeBytes,
      dataBytes: count.dataBytes,
      zeroBytes: count.zeroBytes,
      storedBytes: count.imageBytes,
    };
  });
}
