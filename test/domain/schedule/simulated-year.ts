import { scheduleStatus } from '../../../src/controller/schedule/status.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import type { VMBackupSchedule } from '../../../src/crds/vmbackupschedule.ts';
import { scheduledLabels } from '../../../src/domain/labels.ts';
import { decideSchedule } from '../../../src/domain/schedule/decide-run.ts';
import { excessBackups } from '../../../src/domain/schedule/history.ts';
import { isOver, standingOf } from '../../../src/domain/standing.ts';
import { backup, execution, failure, plan } from '../builders.ts';

/** A stretch of time, in milliseconds since the epoch. */
export type Stretch = readonly [from: number, to: number];

/** What happens in the year. */
export interface Story {
  readonly schedule: VMBackupSchedule;
  readonly from: number;
  readonly to: number;
  /** When each VM is there. */
  readonly vms: ReadonlyMap<string, Stretch>;
  readonly controllerDown: readonly Stretch[];
  readonly suspended: readonly Stretch[];
  /** When somebody changes the token. */
  readonly tokens: readonly number[];
  /** How a backup goes: how long it takes, and whether it is good. */
  readonly fate: (vmName: string, at: number) => { readonly ms: number; readonly isGood: boolean };
}

/** A backup that was made, and what the world was like at that moment. */
export interface Made {
  readonly name: string;
  readonly vmName: string;
  readonly at: number;
  /** Whether an earlier one of the same VM was still under way. */
  readonly besideAnother: boolean;
  readonly inOneGo: number;
}

export interface Year {
  readonly made: readonly Made[];
  readonly schedule: VMBackupSchedule;
  readonly looks: number;
  /** The most objects that a VM had after a look. */
  readonly mostObjects: number;
  readonly missedSlots: number;
}

const within = (stretches: readonly Stretch[], at: number) =>
  stretches.some(([from, to]) => at >= from && at < to);

/** Lives through the story with the real rules: from one thing that happens to the next, as the controller would be woken. */
export function live(story: Story): Year {
  let { schedule } = story;
  let known = story.schedule.status;
  let backups: (VMBackup & { readonly endsAt: number })[] = [];
  const made: Made[] = [];
  const happenings = [
    ...[...story.vms.values(), ...story.controllerDown, ...story.suspended].flat(),
    ...story.tokens,
  ].sort((a, b) => a - b);
  let looks = 0;
  let mostObjects = 0;
  let wakeAt = story.from;
  let now = story.from;
  while (now < story.to) {
    // The cluster goes on without us.
    backups = backups.map((it) => (it.endsAt <= now && !isOver(standingOf(it)) ? ended(it, story) : it));
    if (!within(story.controllerDown, now)) {
      const token = story.tokens.filter((at) => at <= now).length;
      const suspend = within(story.suspended, now);
      const spec = {
        ...story.schedule.spec,
        suspend,
        ...(token > 0 && { trigger: { manual: `token-${token}` } }),
      };
      const vms = [...story.vms].filter(([, stretch]) => within([stretch], now));
      const world = {
        schedule: { ...story.schedule, spec, ...(known && { status: known }) },
        vms: vms.map(([name]) => ({ metadata: { name } })),
        children: backups,
      };
      const decision = decideSchedule(world, now);
      if (decision.kind === 'Invalid') throw new Error(decision.why.message);
      const children = decision.run?.children ?? [];
      const fresh = children.filter(({ name }) => backups.every(({ metadata }) => metadata.name !== name));
      for (const { name, vmName } of fresh) {
        const others = backups.filter((it) => it.spec.vmName === vmName && !isOver(standingOf(it)));
        made.push({ name, vmName, at: now, besideAnother: others.length > 0, inOneGo: fresh.length });
        backups.push(begun(name, vmName, now, schedule, story));
      }
      known = scheduleStatus(world, decision, new Date(now));
      schedule = { ...story.schedule, spec, status: known };
      const excess = new Set(
        excessBackups({
          children: backups,
          backupsOfVm: (vmName) => backups.filter(({ spec }) => spec.vmName === vmName),
          inUse: new Set(),
          successful: spec.successfulBackupsHistoryLimit,
          failed: spec.failedBackupsHistoryLimit,
        }).map(({ metadata }) => metadata.uid),
      );
      backups = backups.filter(({ metadata }) => !excess.has(metadata.uid));
      for (const [name] of story.vms)
        mostObjects = Math.max(mostObjects, backups.filter(({ spec }) => spec.vmName === name).length);
      wakeAt = Math.min(decision.next ?? Infinity, decision.run?.nextAt ?? Infinity);
      looks += 1;
    } else wakeAt = Infinity;
    const ends = backups.filter((it) => !isOver(standingOf(it))).map(({ endsAt }) => endsAt);
    const next = Math.min(wakeAt, ...ends, ...happenings.filter((at) => at > now));
    now = Math.max(next, now + 1);
  }
  return { made, schedule, looks, mostObjects, missedSlots: schedule.status?.missedRuns ?? 0 };
}

function begun(name: string, vmName: string, at: number, schedule: VMBackupSchedule, story: Story) {
  const made = backup({ name, createdAt: new Date(at).toISOString(), spec: { vmName } });
  const labels = { ...scheduledLabels(schedule.metadata.name, vmName) };
  return { ...made, metadata: { ...made.metadata, labels }, endsAt: at + story.fate(vmName, at).ms };
}

function ended<T extends VMBackup & { readonly endsAt: number }>(it: T, story: Story): T {
  const createdAt = Date.parse(it.metadata.creationTimestamp ?? '');
  const bitmap = `backup-${Math.floor(createdAt / 1000)}`;
  const completedAt = new Date(it.endsAt).toISOString();
  const { isGood } = story.fate(it.spec.vmName, createdAt);
  const end = isGood
    ? execution({ completedAt, bitmapCreated: bitmap })
    : { ...execution({ completedAt, error: { ...failure, final: true } }), bitmapCreated: undefined };
  return { ...it, status: { plan: plan({ bitmap }), execution: end } };
}
