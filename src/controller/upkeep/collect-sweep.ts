import { type VMBackup, vmBackups } from '../../crds/vmbackup.ts';
import { scopeOf } from '../../domain/deletion/decide-deletion.ts';
import { humanSize } from '../../domain/columns.ts';
import { REPOSITORY_PATH } from '../../domain/job/mover-pod.ts';
import { DATA_FINALIZER } from '../../domain/labels.ts';
import type { SweepResult } from '../../domain/upkeep/sweep.ts';
import { clip } from '../../domain/why.ts';
import { Conflict, NotFound } from '../../kube/errors.ts';
import type { Event } from '../../kube/events.ts';
import { removeFinalizer } from '../../kube/finalizers.ts';
import { type StatusWriter, writeStatus } from '../../kube/status.ts';
import type { Caches } from '../caches.ts';
import type { Tools } from '../report.ts';
import { uidInManifest } from './orders.ts';

/** Its own field, and nobody else's. */
const writer: StatusWriter<VMBackup> = { fieldManager: 'tidemark-sweep', fields: ['removal'] };

/** Lets the objects go whose data is gone, and records why at those whose data is not. Safe to run again. */
export async function collectSweep(
  caches: Caches,
  tools: Tools,
  repository: string,
  { backups }: SweepResult,
  signal: AbortSignal,
): Promise<void> {
  const { kube, recorder, clock } = tools;
  for (const { uid, outcome, reason, message, bytes } of backups) {
    const backup = caches.backups
      .list(
        ({ metadata, spec }) => spec.repository === repository && metadata.deletionTimestamp !== undefined,
      )
      .find((each) => uidInManifest(each) === uid);
    if (backup === undefined || outcome === 'NotReached') continue;
    if (outcome === 'Removed' || outcome === 'Gone') {
      const note =
        outcome === 'Removed'
          ? `Its data was removed from the repository: ${humanSize(bytes)}.`
          : 'There was no data of it in the repository.';
      recorder.record(vmBackups, backup, { type: 'Normal', reason: 'DataRemoved', action: 'Delete', note });
      await unlessGone(() => removeFinalizer(kube, vmBackups, backup, DATA_FINALIZER, signal));
      continue;
    }
    const removal = {
      at: new Date(clock.now()).toISOString(),
      reason,
      message: clip(`${message}.`),
      with: scopeOf(backup),
    };
    await unlessGone(() => writeStatus(kube, vmBackups, backup, { removal }, writer, signal));
    recorder.record(vmBackups, backup, {
      type: 'Warning',
      reason,
      action: 'Delete',
      note: `Its data was not removed: ${message}.`,
    });
  }
}

/** What dead attempts left behind takes room: who owns the repository must know when it stays. */
export function stuckEvents({ stuck }: SweepResult): readonly Event[] {
  const note = clip(stuck.map((each) => each.replaceAll(`${REPOSITORY_PATH}/`, '')).join('; '));
  return note === '' ? [] : [{ type: 'Warning', reason: 'LeftoverNotRemoved', action: 'Sweep', note }];
}

async function unlessGone(effect: () => Promise<unknown>): Promise<void> {
  try {
    await effect();
  } catch (error) {
    // Changed or let go in the meantime: the next sweep finds nothing there, and says so.
    if (!(error instanceof NotFound || error instanceof Conflict)) throw error;
  }
}
