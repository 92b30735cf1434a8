import type { VolumeResult } from '../../domain/mover-report.ts';
import { KubeError } from '../../kube/errors.ts';
import { readRunningBackup } from '../libvirt/job.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { AttemptFailed, NotYet } from './attempt-failed.ts';
import { begin } from './begin.ts';
import { committedVolumes } from './committed.ts';
import { copy } from './copy.ts';
import { readDefinitions } from './definitions.ts';
import { endJob } from './end-job.ts';
import { finish } from './finish.ts';
import { giveUp, undo } from './give-up.ts';
import type { Wishes } from './guard.ts';
import { bitmapOfSocket } from './names.ts';
import { isMoot } from './report.ts';
import { tryTo } from './try-to.ts';
import { whyGone } from './why-gone.ts';

export type CarryOutResult =
  | { readonly kind: 'Ended' }
  | { readonly kind: 'NotYet'; readonly notYet: NotYet };

/** Finds the VM on this node; throws AttemptFailed when it does not run here. */
type Find = (signal: AbortSignal) => Promise<RunningVm>;

/** The clean-up may take so long, in milliseconds, even after a stop of the agent. */
const CLEAN_UP_MS = 20_000;

/**
 * One attempt from where it stands to its end. Where it stands is looked up, never remembered:
 *
 *     committed in the repository?   → finish
 *     our job runs on the domain?    → copy, finish     (an earlier agent began it and was killed)
 *     otherwise                      → begin, copy, finish
 *
 * Whatever fails before the commit ends in `giveUp`, which leaves the VM and the chain as they were before. What is to be
 * tried again leaves no job behind either: nobody would watch over the guest until then.
 *
 * @throws KubeError and whatever the first look and `finish` throw: to be tried again.
 */
export async function carryOut(
  attempt: Attempt,
  find: Find,
  wishes: Wishes,
  signal: AbortSignal,
): Promise<CarryOutResult> {
  const before = await firstLook(attempt, find, signal);
  if (before !== undefined) {
    await finish(attempt, await find(signal).catch(absent), before, signal);
    return { kind: 'Ended' };
  }
  let vm: RunningVm | undefined;
  let volumes: readonly VolumeResult[];
  try {
    vm = await find(signal);
    volumes = await make(attempt, vm, wishes, signal);
  } catch (error) {
    if (error instanceof NotYet) return { kind: 'NotYet', notYet: error };
    const limit = AbortSignal.timeout(CLEAN_UP_MS);
    // The API server's weather is no failure of the backup: the next look begins it again.
    if (error instanceof KubeError && !isMoot(error) && !signal.aborted) {
      await undo(attempt, vm, limit);
      throw error;
    }
    await giveUp(attempt, vm, signal.aborted ? stopped() : await whyGone(error, vm, find, limit), limit);
    return { kind: 'Ended' };
  }
  // From here on the data is safe. What fails now is tried again, and never undone.
  await finish(attempt, vm, volumes, signal);
  return { kind: 'Ended' };
}

async function firstLook(attempt: Attempt, find: Find, signal: AbortSignal) {
  try {
    return await committedVolumes(attempt, signal);
  } catch (error) {
    const limit = AbortSignal.timeout(CLEAN_UP_MS);
    // The checkpoint stays: what cannot be looked at may be committed.
    await tryTo(attempt.log, 'end a job that nobody watches over', async () =>
      endJob(attempt, await find(limit), limit),
    );
    throw error;
  }
}

/** From the job's begin, or from where a killed agent left it, to the commit. */
async function make(
  attempt: Attempt,
  vm: RunningVm,
  wishes: Wishes,
  signal: AbortSignal,
): Promise<readonly VolumeResult[]> {
  refuseGuestThatWePaused(attempt, vm);
  // Before the job: while it runs, nothing is asked of the API server that the copy could not do without.
  const definitions = await readDefinitions(attempt, vm, signal);
  if (!(await ourJobRuns(attempt, vm, signal))) await begin(attempt, vm, signal);
  const { alreadyCommitted, volumes } = await copy(attempt, vm, definitions, wishes, signal);
  if (!alreadyCommitted) return volumes;
  // A mover that was given up got through since our first look. Its data may be of another instant than our bitmap.
  const committed = await committedVolumes(attempt, signal);
  if (committed !== undefined) return committed;
  throw new AttemptFailed(
    'CommittedDataDamaged',
    `${attempt.plan.path} holds this backup already, but it cannot be restored; see 'tidemark-mover verify'. Take another backup.`,
  );
}

/** An earlier run of this attempt had a job, and now the guest stands still: `giveUp` ends the job and lets it run on. */
function refuseGuestThatWePaused({ report }: Attempt, { domain }: RunningVm): void {
  if (report.execution.disks === undefined || domain.pausedReason !== 'ioError') return;
  throw new AttemptFailed(
    'GuestPaused',
    'The VM was paused with an I/O error (no room for its scratch file) while no agent watched over it: ended the backup and resumed the VM.',
  );
}

function stopped(): AttemptFailed {
  return new AttemptFailed('AgentStopped', 'The node agent was stopped while it worked on this backup.');
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
