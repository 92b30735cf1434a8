import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import type { VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { damageOf } from '../damage.ts';
import { labelValue, SCHEDULE_LABEL } from '../labels.ts';
import { parseSchedule } from '../schedule/cron.ts';
import type { Why } from '../why.ts';
import { applyPolicy } from './apply-policy.ts';
import { pointsOf } from './points.ts';
import type { KeptPoint, Point } from './policy.ts';

/** All that retention looks at for one schedule. */
export interface RetentionWorld {
  readonly schedule: VMBackupSchedule;
  /** For each VM that the schedule has backups of: all its VMBackups, of this schedule or not. */
  readonly backupsByVm: readonly (readonly VMBackup[])[];
  readonly repository: VMBackupRepository | undefined;
}

export interface RetentionDecision {
  readonly why: Why;
  readonly keep: readonly KeptPoint[];
  readonly remove: readonly Point[];
  /** Whether what is to be removed is removed now. */
  readonly apply: boolean;
}

type Check = (world: RetentionWorld) => Why | undefined;

/** What keeps retention from removing anything for now. First match wins. */
const whyNot: readonly Check[] = [dryRun, timeZoneUnknown, repositoryNotFound, repositoryNotReady];

/** Decides what a schedule's retention keeps and removes; undefined if it has none. `now` in milliseconds since the epoch. */
export function decideRetention(world: RetentionWorld, now: number): RetentionDecision | undefined {
  const { schedule, backupsByVm, repository } = world;
  const { retention, timeZone, template } = schedule.spec;
  if (retention === undefined) return undefined;
  const label = labelValue(schedule.metadata.name);
  const damage = damageOf(repository);
  const decided = timeZoneUnknown(world)
    ? []
    : backupsByVm.map((backups) =>
        applyPolicy(
          pointsOf({
            backups,
            repository: template.repository,
            decides: ({ metadata, spec }) =>
              metadata.labels?.[SCHEDULE_LABEL] === label && spec.imported === undefined,
            isDamaged: (path, chain) => damage.ofChain(path, chain) !== undefined,
            now,
          }),
          retention,
          timeZone,
        ),
      );
  const keep = decided.flatMap((each) => each.keep).filter(({ point }) => point.decided);
  const remove = decided.flatMap((each) => each.remove);
  for (const check of whyNot) {
    const why = check(world);
    if (why !== undefined) return { why, keep, remove, apply: false };
  }
  const message = 'What no rule keeps, and no kept backup stands on, is removed from the repository.';
  return { why: { reason: 'Applied', message }, keep, remove, apply: true };
}

function dryRun({ schedule }: RetentionWorld): Why | undefined {
  if (schedule.spec.retention?.dryRun !== true) return undefined;
  return { reason: 'DryRun', message: 'retention.dryRun is true: this is what would be removed without it.' };
}

function timeZoneUnknown({ schedule }: RetentionWorld): Why | undefined {
  const parsed = parseSchedule('@daily', schedule.spec.timeZone);
  return parsed.kind === 'Invalid' ? { reason: parsed.reason, message: parsed.message } : undefined;
}

function repositoryNotFound({ schedule, repository }: RetentionWorld): Why | undefined {
  if (repository !== undefined) return undefined;
  const message = `VMBackupRepository '${schedule.spec.template.repository}' is not there: nothing is removed.`;
  return { reason: 'RepositoryNotFound', message };
}

function repositoryNotReady({ repository }: RetentionWorld): Why | undefined {
  const ready = repository?.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status === 'True') return undefined;
  const message = `Nothing is removed before the repository is ready: ${ready?.message ?? 'no agent has looked at it yet.'}`;
  return { reason: 'RepositoryNotReady', message };
}
