import type { VolumeResult } from '../../domain/mover-report.ts';
import { KubeError } from '../../kube/errors.ts';
import { readRunningBackup } from '../libvirt/job.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { AttemptFailed, NotYet } from './attempt-failed.ts';
import { begin } from './begin.ts';
import { copy } from './copy.ts';
import { finish } from './finish.ts';
import { giveUp } from './give-up.ts';
import type { Wishes } from './guard.ts';
import { bitmapOfSocket } from './names.ts';

export type CarryOutResult =
  | { readonly kind: 'Ended' }
  | { readonly kind: 'NotYet'; readonly notYet: NotYet };

/** After a stop of the agent, the clean-up may take so long, in milliseconds. */
const CLEAN_UP_MS = 20_000;

/**
 * One attempt from where it stands to its end. Where it stands is looked up, never remembered:
 *
 *     committed in the repository?   → finish
 *     our job runs on the domain?    → copy, finish     (an earlier agent began it and was killed)
 *     otherwise                      → begin, copy, finish
 *
 * Whatever fails before the commit ends in `giveUp`, which leaves the VM and the chain as they were before.
 *
 * @param find finds the VM on this node; throws AttemptFailed when it does not run here.
 * @throws KubeError and whatever `finish` throws: to be tried again.
 */
export async function carryOut(
  attempt: Attempt,
  find: (signal: AbortSignal) => Promise<RunningVm>,
  wishes: Wishes,
  signal: AbortSignal,
): Promise<CarryOutResult> {
  const before = await committedVolumes(attempt, signal);
  if (before !== undefined) {
    await finish(attempt, await find(signal).catch(absent), before, signal);
    return { kind: 'Ended' };
  }
  let vm: RunningVm | undefined;
  let volumes: readonly VolumeResult[];
  try {
    vm = await find(signal);
    if (!(await ourJobRuns(attempt, vm, signal))) await begin(attempt, vm, signal);
    volumes = await copy(attempt, vm, wishes, signal);
  } catch (error) {
    if (error instanceof NotYet) return { kind: 'NotYet', notYet: error };
    // The API server's weather is no failure of the backup: its job runs on, and the next look goes on with it.
    if (error instanceof KubeError && !signal.aborted) throw error;
    const failure = signal.aborted ? stopped() : error;
    await giveUp(attempt, vm, failure, AbortSignal.timeout(CLEAN_UP_MS));
    return { kind: 'Ended' };
  }
  // From here on the data is safe. What fails now is tried again, and never undone.
  await finish(attempt, vm, volumes, signal);
  return { kind: 'Ended' };
}

function stopped(): AttemptFailed {
  return new AttemptFailed('AgentStopped', 'The node agent was stopped while it worked on this backup.');
}

/** What this very backup has in the repository, or undefined when it is not committed (yet). */
async function committedVolumes(
  attempt: Attempt,
  signal: AbortSignal,
): Promise<readonly VolumeResult[] | undefined> {
  const found = await attempt.mover.inspect(attempt.plan.path, signal);
  if (found.backup === null) return undefined;
  return found.backup.uid === attempt.backup.metadata.uid ? found.volumes : undefined;
}

/**
 * Whether the job of this attempt runs already. It is gone on with only if what each disk gets was reported before it began,
 * as it always is: a job without that report is not to be trusted, and `begin` removes it.
 */
async function ourJobRuns(attempt: Attempt, vm: RunningVm, signal: AbortSignal): Promise<boolean> {
  const running = await readRunningBackup(vm.virsh, vm.domain.name, signal);
  if (running?.socket === undefined || bitmapOfSocket(running.socket) !== attempt.plan.bitmap) return false;
  const reported = attempt.report.execution.disks;
  if (reported === undefined)
    throw new AttemptFailed(
      'JobUnknown',
      'A backup job of this attempt runs, but nothing was reported of it.',
    );
  const { bitmapCreated, pointInTime } = attempt.report.execution;
  if (pointInTime === undefined || (bitmapCreated === undefined && reported.some((disk) => disk.tracked))) {
    const bitmap = reported.some((disk) => disk.tracked) ? { bitmapCreated: attempt.plan.bitmap } : {};
    await attempt.report.add({ pointInTime: pointInTime ?? attempt.now().toISOString(), ...bitmap });
  }
  attempt.log.info({ bitmap: attempt.plan.bitmap }, 'goes on with the backup job of a killed agent');
  return true;
}

/** A VM that is gone has no job to end; its backup is committed all the same. */
function absent(error: unknown): undefined {
  if (error instanceof AttemptFailed) return undefined;
  throw error;
}
