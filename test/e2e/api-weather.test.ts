import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { checkpointsOf, filesInPod, hasBackupJob, incomingIn } from '../support/tidemark/leftovers.ts';
import { backUpNow, type Point, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';
import type { Fate, Passing } from '../support/tidemark/weather.ts';

const TEN_MINUTES_MS = 600_000;
/** More than both programs need for a backup in any weather here; a hot loop makes thousands. */
const MOST_REQUESTS = 200;

const refused = (code: number, reason: string, more = {}): Fate => ({
  kind: 'Refused',
  code,
  reason,
  ...more,
});
const isWrite = ({ method }: Passing) => method !== 'GET';
const isWatch = (passing: Passing) => passing.isWatch;

/** Of the requests that are meant, the first and every other one after it. */
function everyOther(isMeant: (passing: Passing) => boolean, fate: Fate): (passing: Passing) => Fate {
  let count = 0;
  return (passing) => {
    if (!isMeant(passing)) return undefined;
    count += 1;
    return count % 2 === 1 ? fate : undefined;
  };
}

/** Of all requests, those that come within so many milliseconds of the first. */
function forMs(ms: number, fate: Fate): () => Fate {
  let end: number | undefined;
  return () => {
    end ??= Date.now() + ms;
    return Date.now() < end ? fate : undefined;
  };
}

/** What comes between our programs and the API server while a backup is made. */
const rows: readonly { readonly weather: string; readonly fate: (passing: Passing) => Fate }[] = [
  { weather: 'good weather', fate: () => undefined },
  { weather: '409 to every other write', fate: everyOther(isWrite, refused(409, 'Conflict')) },
  { weather: '410 to every other watch', fate: everyOther(isWatch, { kind: 'Expired' }) },
  {
    weather: '429 with Retry-After to every other write',
    fate: everyOther(isWrite, refused(429, 'TooManyRequests', { retryAfterSeconds: 1 })),
  },
  { weather: '500 to every request for two seconds', fate: forMs(2000, refused(500, 'InternalError')) },
  {
    weather: 'every watch cut after 300 ms',
    fate: (passing) => (isWatch(passing) ? { kind: 'CutAfter', ms: 300 } : undefined),
  },
  {
    weather: 'the answer to every other write lost, though it was done',
    fate: everyOther(isWrite, { kind: 'AnswerLost' }),
  },
];

/** The controller's clock is ten minutes ahead of the agent's, all the time. Each test goes on where the last one ended. */
describe('between clocks that are ten minutes apart, a backup is made once, and exactly, in', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;
  let count = 0;
  let parent: Point | undefined;

  beforeAll(async () => {
    tidemark = resources.use(await installTidemark({ weather: true, controllerAheadMs: TEN_MINUTES_MS }));
    const { podsDir } = tidemark;
    const disks = [{ volume: 'root', kind: 'cbt', size: 8 * MiB }] as const;
    vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
  });
  afterAll(() => resources.disposeAsync());

  test.each(rows)('$weather', async ({ weather, fate }) => {
    count += 1;
    await vm.write('root', { pattern: count, offset: (count % 8) * MiB, length: MiB / 2 });
    tidemark.weather?.change(fate);
    const began = Date.now();
    const point = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, `backup-${count}`));
    const requests = tidemark.weather?.requests ?? 0;
    tidemark.weather?.change(() => undefined);
    console.log(`${weather}: ${requests} requests in ${((Date.now() - began) / 1000).toFixed(1)} s`);
    expect(requests).toBeLessThan(MOST_REQUESTS);
    const { status } = point.backup;
    expect(status).toMatchObject({
      phase: 'Succeeded',
      type: parent === undefined ? 'Full' : 'Incremental',
      chain: { position: count - 1 },
      attempts: [{ attempt: 1, reason: 'Succeeded' }],
    });
    expect(await restoresExactly(tidemark, point)).toEqual(new Map([['root', true]]));
    expect(await checkpointsOf(vm)).toEqual([status?.plan?.bitmap]);
    expect(await hasBackupJob(vm)).toBe(false);
    expect(await filesInPod(vm)).toEqual([]);
    expect(await incomingIn(tidemark.repository)).toEqual([]);
    parent = point;
  });

  test('any weather, when all is quiet: a request now and then', async () => {
    const seconds = 5;
    await eventually('quiet', async () => {
      tidemark.weather?.change(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      const { requests = Infinity } = tidemark.weather ?? {};
      console.log(`nothing to do: ${requests} requests in ${seconds} s`);
      return requests < 4 * seconds || undefined;
    });
  });
});
