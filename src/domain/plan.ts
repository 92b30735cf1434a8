import type { Plan } from '../crds/vmbackup.ts';
import { nextBitmapName } from './bitmap-name.ts';
import { bitmapsOf, newestGood } from './chain.ts';
import { damageOf } from './damage.ts';
import type { Executor } from './executor.ts';
import { decideType } from './full-or-incremental.ts';
import { leftOutOf } from './left-out.ts';
import { backupPath } from './names.ts';
import { obsoleteBitmaps } from './obsolete-bitmaps.ts';
import { RESTORED_AT_ANNOTATION } from './restore/names.ts';
import { UNTRACKED_AT_ANNOTATION } from './untracked.ts';
import { chooseVolumes } from './volumes.ts';
import { clip } from './why.ts';
import { volumesOf, type World } from './world.ts';

/** Which attempt is planned, for whom and where. */
export interface PlannedAttempt extends Executor {
  /** Counts from 1; higher than every attempt before, so that a late agent of an earlier one is known by it. */
  readonly attempt: number;
  readonly failedAttempts: number;
  /** UID of the VM that is there. */
  readonly vmUid: string;
}

/**
 * Plans one attempt of a backup that nothing stands in the way of. Each attempt is decided from scratch, with a new bitmap name:
 * what an earlier attempt left on the disks is never taken for its own.
 * @param now milliseconds since the epoch
 */
export function planAttempt(world: World, planned: PlannedAttempt, now: number): Plan {
  const { backup } = world;
  const { spec, metadata } = backup;
  const newest = newestGood(world.backups, spec.vmName, spec.repository);
  const decision = decideType({
    wanted: spec.type,
    fullEvery: spec.fullEvery,
    backupUid: metadata.uid,
    vmUid: planned.vmUid,
    newest,
    damage: newest && damageOf(world.repository).ofChain(newest.path, newest.chain.id),
    volumes: chooseVolumes(volumesOf(world), spec.volumes, world.claims),
    restoredAt: world.vm?.metadata.annotations?.[RESTORED_AT_ANNOTATION],
    untrackedAt: world.vm?.metadata.annotations?.[UNTRACKED_AT_ANNOTATION],
  });
  const leftOut = leftOutOf(world);
  return {
    attempt: planned.attempt,
    failedAttempts: planned.failedAttempts,
    vmUid: planned.vmUid,
    nodeName: planned.nodeName,
    ...(planned.job !== undefined && { job: planned.job }),
    type: decision.type,
    reason: decision.reason,
    message: clip(decision.message),
    chain: decision.chain,
    // Its own earlier attempts count, too: their bitmaps may still be on the disks.
    bitmap: nextBitmapName(now, bitmapsOf([...world.backups, backup], spec.vmName)),
    ...(decision.parent && { parent: decision.parent }),
    obsoleteBitmaps: [...obsoleteBitmaps(backup, world.backups)],
    path: backupPath({
      clusterId: world.clusterId,
      namespace: metadata.namespace ?? '',
      vmName: spec.vmName,
      vmUid: planned.vmUid,
      backupUid: metadata.uid,
      backupCreatedAt: metadata.creationTimestamp ?? new Date(now).toISOString(),
    }),
    disks: [...decision.disks],
    ...(leftOut.length > 0 && { leftOut: leftOut.slice(0, 64) }),
  };
}
