import { posix } from 'node:path';
import { endBackup } from '../libvirt/backup.ts';
import { resumeAfterIoError } from '../libvirt/domain.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { socketName } from './names.ts';

/**
 * Ends our job, and only ours, which frees its scratch files; then lets the guest run on, should a full scratch file have
 * paused it. Every end of a job goes this way, the good one too: a guest may be paused in the last moment. Fine when the job is
 * gone.
 */
export async function endJob(
  { plan }: Pick<Attempt, 'plan'>,
  { virsh, domain, paths }: RunningVm,
  signal?: AbortSignal,
): Promise<void> {
  const socket = posix.join(paths.sockets.inside, socketName(plan.bitmap));
  await endBackup(virsh, domain.name, socket, signal);
  await resumeAfterIoError(virsh, domain.name, signal);
}
