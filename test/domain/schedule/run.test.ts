import { describe, expect, test } from 'vitest';
import type { VMBackupSchedule } from '../../../src/crds/vmbackupschedule.ts';
import { scheduleStatus } from '../../../src/controller/schedule/status.ts';
import { decideSchedule, type ScheduleDecision } from '../../../src/domain/schedule/decide-run.ts';
import { offsetSeconds } from '../../../src/domain/schedule/effective.ts';
import { MOST_AT_ONCE } from '../../../src/domain/schedule/run.ts';
import { schedule } from '../builders.ts';

const SLOT = Date.parse('2026-11-23T18:00:00Z');
const RAN = { lastScheduleTime: '2026-11-23T17:00:00Z' };
const all = { vmNames: undefined, vmSelector: { matchLabels: { tier: 'gold' } } };

function vmsNamed(count: number) {
  return Array.from({ length: count }, (_, n) => ({
    metadata: { name: `vm-${n}`, labels: { tier: 'gold' } },
  }));
}

type Scheduled = Extract<ScheduleDecision, { kind: 'Scheduled' }>;

/** One look: what is decided, and the schedule with the status that is recorded. */
function look(object: VMBackupSchedule, vms: ReturnType<typeof vmsNamed>, now: number) {
  const world = { schedule: object, vms, children: [] };
  const decision = decideSchedule(world, now) as Scheduled;
  const status = scheduleStatus(world, decision, new Date(now));
  const made = decision.run?.children.map(({ vmName }) => vmName) ?? [];
  return { decision, made, next: { ...object, status } };
}

describe('a run over hundreds of VMs', () => {
  test('is made in goes of a bounded size, each VM once', () => {
    const vms = vmsNamed(3 * MOST_AT_ONCE + 7);
    let object: VMBackupSchedule = schedule(all, RAN);
    const goes: (readonly string[])[] = [];
    for (let now = SLOT; ; now++) {
      const { made, next } = look(object, vms, now);
      if (made.length === 0) break;
      goes.push(made);
      object = next;
    }
    expect(goes.map((made) => made.length)).toEqual([50, 50, 50, 7]);
    expect(new Set(goes.flat()).size).toBe(vms.length);
    expect(object.status?.run).toBeUndefined();
    expect(object.status?.lastScheduleTime).toBe('2026-11-23T18:00:00Z');
  });

  test('with a spread makes each VM at its own time, and looks again at the next one', () => {
    const vms = vmsNamed(40);
    let object: VMBackupSchedule = schedule({ ...all, spreadSeconds: 1800 }, RAN);
    let now = SLOT;
    for (let looks = 0; looks < 100; looks++) {
      const { decision, made, next } = look(object, vms, now);
      for (const name of made) expect(now).toBe(SLOT + Math.max(0, offsetSeconds('s', name, 1800)) * 1000);
      object = next;
      if (decision.run?.nextAt === undefined) break;
      now = decision.run.nextAt;
    }
    expect(now).toBeGreaterThan(SLOT + 900_000);
    expect(now).toBeLessThan(SLOT + 1800_000);
    expect(object.status?.effectiveSchedule).toBe(
      '0 * * * * (UTC), each VM at its own time within 1800 s after',
    );
  });

  test('after an outage catches up with those within the deadline, and says who is too late', () => {
    const vms = vmsNamed(100);
    const object = schedule({ ...all, spreadSeconds: 3000, startingDeadlineSeconds: 600 }, RAN);
    const { decision, made } = look(object, vms, SLOT + 1_800_000);
    const offset = (name: string) => offsetSeconds('s', name, 3000);
    expect(made.every((name) => offset(name) >= 1200 && offset(name) <= 1800)).toBe(true);
    expect(decision.run?.tooLate.every((name) => offset(name) < 1200)).toBe(true);
    expect(made.length + (decision.run?.tooLate.length ?? 0)).toBeGreaterThan(40);
    expect(decision.run?.rest).toBeDefined();
  });

  test('follows VMs that come and go while it is under way', () => {
    const object = schedule({ ...all, spreadSeconds: 1800, startingDeadlineSeconds: 1800 }, RAN);
    const begun = look(object, vmsNamed(20), SLOT);
    const others = [...vmsNamed(10), { metadata: { name: 'new', labels: { tier: 'gold' } } }];
    const rest = look(begun.next, others, SLOT + 1_800_000);
    expect([...begun.made, ...rest.made].sort()).toEqual(others.map(({ metadata }) => metadata.name).sort());
  });

  test('never goes on beyond the next slot', () => {
    const object = schedule({ ...all, spreadSeconds: 86_400 }, RAN);
    const begun = look(object, vmsNamed(30), SLOT);
    const atEnd = look(begun.next, vmsNamed(30), SLOT + 3_599_999);
    expect(atEnd.decision.run?.rest).toBeUndefined();
  });

  test('stops when it is suspended, and goes on afterwards', () => {
    const begun = look(schedule({ ...all, spreadSeconds: 1800 }, RAN), vmsNamed(20), SLOT);
    const suspended = { ...begun.next, spec: { ...begun.next.spec, suspend: true } };
    const stopped = look(suspended, vmsNamed(20), SLOT + 600_000);
    expect(stopped.decision.run).toBeUndefined();
    expect(stopped.next.status?.run).toEqual(begun.next.status?.run);
    const resumed = look({ ...stopped.next, spec: begun.next.spec }, vmsNamed(20), SLOT + 601_000);
    expect(resumed.made.length).toBeGreaterThan(0);
    expect(resumed.next.status?.resumedAt).toBe('2026-11-23T18:10:01Z');
  });
});

describe('a run by hand', () => {
  const spec = { ...all, trigger: { manual: 'before-upgrade' } };

  test('is made once for each new token', () => {
    const first = look(schedule(spec, RAN), vmsNamed(2), SLOT - 1000);
    expect(first.made).toEqual(['vm-0', 'vm-1']);
    expect(first.next.status).toMatchObject({
      lastManualTrigger: 'before-upgrade',
      lastScheduleTime: '2026-11-23T17:00:00Z',
    });
    expect(look(first.next, vmsNamed(2), SLOT - 900).made).toEqual([]);
    const again = { ...first.next, spec: { ...first.next.spec, trigger: { manual: 'again' } } };
    expect(look(again, vmsNamed(2), SLOT - 800).made).toHaveLength(2);
  });

  test('gives the same names when it is begun twice, and others when a token comes back later', () => {
    const names = (generation: number) => {
      const object = schedule(spec, RAN);
      const decision = look({ ...object, metadata: { ...object.metadata, generation } }, vmsNamed(1), SLOT);
      return decision.decision.run?.children.map(({ name }) => name);
    };
    expect(names(1)).toEqual(names(1));
    expect(names(2)).not.toEqual(names(1));
  });

  test('is made even while suspended, at once for all VMs, in bounded goes', () => {
    let object: VMBackupSchedule = schedule({ ...spec, suspend: true, spreadSeconds: 3000 }, RAN);
    let made = 0;
    for (let now = SLOT + 1000; now < SLOT + 1010; now++) {
      const step = look(object, vmsNamed(120), now);
      made += step.made.length;
      object = step.next;
    }
    expect(made).toBe(120);
    expect(object.status?.run).toBeUndefined();
  });
});
