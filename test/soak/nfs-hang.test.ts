import { beforeAll, expect, test } from 'vitest';
import { programs } from '../../hack/build/programs.ts';
import { runInGuest } from '../support/nfs/boot.ts';
import { makeDisks } from '../support/nfs/disks.ts';
import { HANG, HANG_MS, type Hang, SHIPPED } from '../support/nfs/hang.ts';

/** A real NFS server and kernel client whose packets are lost for ten real minutes; the agent's limits are those it is shipped with. */
let seen: Hang;

beforeAll(async () => {
  const all = { hang: 'test/support/nfs/hang.ts', ...programs };
  const limitMs = HANG_MS + 300_000;
  seen = JSON.parse(await runInGuest({ programs: all, furnish: makeDisks, limitMs }, HANG));
  console.log(JSON.stringify(seen));
}, HANG_MS + 360_000);

test('the copy is given up within seconds of its limit, and says why', () => {
  expect(seen.failure.reason).toMatch(/^(MoverStalled|MoverUnkillable|TargetTimedOut|TargetFailed)$/);
  expect(seen.endedAfterMs).toBeLessThan(SHIPPED.copyStallMs + 30_000);
});

test('each look at the repository says that it does not answer, within its limit', () => {
  expect(seen.probes.length).toBeGreaterThan(3);
  for (const { reason, ms } of seen.probes) {
    expect(reason).toMatch(/^(Mount(TimedOut|Unreachable)|Mover(Stalled|Unkillable))$/);
    expect(ms).toBeLessThan(SHIPPED.answerMs + 15_000);
  }
});

test('the agent itself never stands still, and no movers pile up', () => {
  expect(seen.longestPauseMs).toBeLessThan(3_000);
  expect(seen.moversAtWorst).toBeLessThan(6);
});

test('when the server answers again, the next attempt makes the backup, and nothing is lost or left', () => {
  expect(seen.again).toMatchObject({ alreadyCommitted: false });
  expect(seen.earlier).toMatchObject({ good: true });
  expect(seen.listed).toMatchObject({ backups: 2 });
  expect(seen.left).toEqual({ volumes: 0, mounts: 0, processes: [] });
});
