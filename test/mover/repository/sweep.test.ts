import {
  chmodSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { SweepOrder, type SweepResult } from '../../../src/domain/upkeep/sweep.ts';
import { removeLeftovers } from '../../../src/mover/repository/leftovers.ts';
import { sweep } from '../../../src/mover/repository/sweep.ts';
import { walkChain } from '../../../src/mover/repository/chain.ts';
import { temporaryDirectory } from '../support/backup-rig.ts';
import { withoutPrivileges } from '../support/without-privileges.ts';
import { StoredChain } from '../support/stored-chain.ts';

const VM = 'c/shop/db-1';
const quiet = new AbortController().signal;

let root: string;
beforeEach(() => {
  const directory = temporaryDirectory();
  root = directory.path;
  onTestFinished(() => directory[Symbol.dispose]());
});

/** A chain `<prefix>000`, `<prefix>001`, … in the directory of the VM. */
async function chain(length: number, prefix = 'b', vm = VM): Promise<StoredChain> {
  const made = new StoredChain(join(root, vm), prefix);
  for (let position = 0; position < length; position++) await made.add(1024 * 1024, new Map([[position, 1]]));
  return made;
}

const wanted = (id: string, how: 'Nothing' | 'Following' | 'Chain' = 'Nothing') => ({
  path: `${VM}/${id}`,
  uid: `uid-of-${id}`,
  with: how,
});

async function swept(
  backups: readonly ReturnType<typeof wanted>[],
  more: Partial<SweepOrder> = {},
): Promise<Record<string, string>> {
  const told = await sweep(root, SweepOrder.parse({ clusterId: 'c', backups, ...more }), quiet);
  return Object.fromEntries(told.map(({ uid, outcome }) => [uid.replace('uid-of-', ''), outcome]));
}

const names = (vm = VM) => readdirSync(join(root, vm)).sort();

describe('leaf first', () => {
  test('a whole chain that is asked for in any order goes, and its bytes are told', async () => {
    await chain(3);
    const order = { clusterId: 'c', backups: [wanted('b000'), wanted('b002'), wanted('b001')] };
    const told = await sweep(root, SweepOrder.parse(order), quiet);
    expect(told.map(({ outcome }) => outcome)).toEqual(['Removed', 'Removed', 'Removed']);
    expect(told.every(({ bytes }) => bytes > 65_536)).toBe(true);
    expect(names()).toEqual([]);
  });
  test('what something stands on stays, and says what that is', async () => {
    const { tip } = await chain(3);
    const order = { clusterId: 'c', backups: [wanted('b000'), wanted('b001')] };
    const [first, second] = await sweep(root, SweepOrder.parse(order), quiet);
    expect(first).toMatchObject({
      outcome: 'HasDescendants',
      message: expect.stringContaining('b001, b002'),
    });
    expect(second).toMatchObject({
      outcome: 'HasDescendants',
      message: expect.stringContaining('b002 stands'),
    });
    expect((await walkChain(tip, 'vda')).parents).toHaveLength(2);
  });
  test('another chain in the same directory is left alone', async () => {
    await chain(2);
    await chain(2, 'z');
    expect(await swept([wanted('b000'), wanted('b001')])).toEqual({ b000: 'Removed', b001: 'Removed' });
    expect(names()).toEqual(['z000', 'z001']);
  });
});

describe('explicit wishes', () => {
  test('Following takes what stands on it, though it has no object, and nothing beneath', async () => {
    await chain(4);
    expect(await swept([wanted('b002', 'Following')])).toEqual({ b002: 'Removed' });
    expect(names()).toEqual(['b000', 'b001']);
  });
  test('Chain takes all of the chain and no other', async () => {
    await chain(3);
    await chain(2, 'z');
    expect(await swept([wanted('b001', 'Chain')])).toEqual({ b001: 'Removed' });
    expect(names()).toEqual(['z000', 'z001']);
  });
  test('what must be kept, and what it stands on, is kept even then', async () => {
    await chain(4);
    expect(await swept([wanted('b001', 'Chain')], { keep: [`${VM}/b002`] })).toEqual({
      b001: 'HasDescendants',
    });
    expect(names()).toEqual(['b000', 'b001', 'b002']);
    expect(await swept([wanted('b002')], { keep: [`${VM}/b002`] })).toEqual({ b002: 'Refused' });
  });
});

describe('in doubt it stays', () => {
  test('another backup at the same path', async () => {
    await chain(1);
    expect(await swept([{ ...wanted('b000'), uid: 'another' }])).toEqual({ another: 'Refused' });
    expect(names()).toEqual(['b000']);
  });
  test('what another cluster took', async () => {
    await chain(1, 'b', 'other/shop/db-1');
    expect(await swept([{ ...wanted('b000'), path: 'other/shop/db-1/b000' }])).toEqual({ b000: 'Refused' });
    expect(names('other/shop/db-1')).toEqual(['b000']);
  });
  test('a sibling whose manifest is damaged is still a child by its image', async () => {
    await chain(2);
    writeFileSync(join(root, VM, 'b001', 'manifest.json'), '{');
    expect(await swept([wanted('b000')])).toEqual({ b000: 'HasDescendants' });
  });
  test('a sibling that cannot be read at all may be a child, and does not go with a chain', async () => {
    const made = await chain(2);
    await chain(1, 'z');
    writeFileSync(join(root, VM, 'z000', 'manifest.json'), '{');
    writeFileSync(join(root, VM, 'z000', 'vda.qcow2'), 'no image');
    expect(await swept([wanted('b000', 'Chain')])).toEqual({ b000: 'HasDescendants' });
    expect(existsSync(made.tip)).toBe(true);
  });
  test.each([
    '../../etc',
    'c/../x/y',
    'c/shop/db-1/.incoming-b-1',
    '/c/shop/db-1/b',
    'c/shop/db-1',
    'c/shop/db-1/b/x',
  ])('the path %s is no order', (path) => {
    const order = { clusterId: 'c', backups: [{ path, uid: 'u' }] };
    expect(SweepOrder.safeParse(order).success).toBe(false);
  });
  test('a link in the path leads nowhere', async () => {
    const elsewhere = temporaryDirectory();
    onTestFinished(() => elsewhere[Symbol.dispose]());
    await new StoredChain(join(elsewhere.path, 'db-1')).add(1024 * 1024, new Map([[0, 1]]));
    mkdirSync(join(root, 'c'));
    symlinkSync(elsewhere.path, join(root, 'c', 'shop'));
    expect(await swept([wanted('b000')])).toEqual({ b000: 'Failed' });
    expect(readdirSync(join(elsewhere.path, 'db-1'))).toEqual(['b000']);
  });
});

describe('at every point where a sweep can be killed, the next one ends what was begun', () => {
  const whole = [wanted('b000'), wanted('b001')];
  const at = (name: string) => join(root, VM, name);
  test.each<[string, () => void]>([
    ['before anything', () => {}],
    ['when the leaf had lost its name', () => renameSync(at('b001'), at('.deleted-b001'))],
    [
      'in the middle of its files',
      () => {
        renameSync(at('b001'), at('.deleted-b001'));
        rmSync(join(at('.deleted-b001'), 'manifest.json'));
      },
    ],
    ['when the leaf was gone', () => rmSync(at('b001'), { recursive: true })],
    [
      'when the full had lost its name, too',
      () => {
        rmSync(at('b001'), { recursive: true });
        renameSync(at('b000'), at('.deleted-b000'));
      },
    ],
    ['when all was gone', () => rmSync(join(root, VM), { recursive: true })],
  ])('%s', async (_, killed) => {
    await chain(2);
    killed();
    const told = await swept(whole);
    expect(Object.values(told).every((outcome) => outcome === 'Removed' || outcome === 'Gone')).toBe(true);
    if (existsSync(join(root, VM))) expect(names()).toEqual([]);
    expect(await swept(whole)).toEqual({ b000: 'Gone', b001: 'Gone' });
  });
  test('an aborted sweep stops between two backups, and leaves a chain that can be restored', async () => {
    const { directories } = await chain(3);
    const abort = new AbortController();
    abort.abort(new Error('killed'));
    const order = SweepOrder.parse({ clusterId: 'c', backups: [wanted('b002'), wanted('b001')] });
    const told: SweepResult['backups'] = [...(await sweep(root, order, abort.signal))];
    expect(told.map(({ outcome }) => outcome)).toEqual(['Failed', 'NotReached']);
    for (const directory of directories) await walkChain(directory, 'vda');
  });
});

test('the first that cannot be removed ends the sweep, for other VMs, too', async () => {
  await chain(2);
  await chain(1, 'b', 'c/shop/web-1');
  renameSync(join(root, VM, 'b001'), join(root, VM, '.elsewhere'));
  symlinkSync('.elsewhere', join(root, VM, 'b001'));
  const web = { ...wanted('b000'), path: 'c/shop/web-1/b000', uid: 'web' };
  expect(await swept([wanted('b001'), wanted('b000'), web])).toEqual({
    b001: 'Failed',
    b000: 'NotReached',
    web: 'NotReached',
  });
  expect(names()).toEqual(['.elsewhere', 'b000', 'b001']);
});

describe('leftovers', () => {
  const NOW = Date.parse('2026-11-23T18:00:00Z');
  const HOUR = 3_600_000;
  function leave(name: string, hoursAgo: number): void {
    const directory = join(root, VM, name);
    mkdirSync(directory, { recursive: true });
    const file = join(directory, 'vda.qcow2');
    writeFileSync(file, 'x');
    const at = new Date(NOW - hoursAgo * HOUR);
    for (const path of [file, directory]) utimesSync(path, at, at);
  }
  const collect = (clusterId = 'c') =>
    removeLeftovers(
      root,
      { clusterId, leftovers: { olderThanSeconds: 7200, busy: ['running'] } },
      NOW,
      quiet,
    );

  test('old ones go; young ones, busy ones, backups and what is of others stay', async () => {
    leave('.incoming-dead-1', 3);
    leave('.incoming-dead-2.discarded', 3);
    leave('.deleted-half', 3);
    leave('.incoming-young-1', 1);
    leave('.incoming-running-1', 30);
    leave('.snapshot', 30);
    await chain(1);
    expect(await collect()).toEqual({ removed: 3, stuck: [] });
    expect(names()).toEqual(['.incoming-running-1', '.incoming-young-1', '.snapshot', 'b000']);
  });
  test('one whose file still grows is young, however old the directory is', async () => {
    leave('.incoming-slow-1', 30);
    utimesSync(join(root, VM, '.incoming-slow-1', 'vda.qcow2'), new Date(NOW), new Date(NOW));
    expect(await collect()).toEqual({ removed: 0, stuck: [] });
  });
  test('what is no directory, or leads nowhere, stops nothing: the next one goes all the same', async () => {
    leave('.incoming-dead-1', 3);
    writeFileSync(join(root, VM, '.deleted-file'), 'x');
    writeFileSync(join(root, VM, '.incoming-afile-1'), 'x');
    symlinkSync('nowhere', join(root, VM, '.deleted-link'));
    leave('.incoming-zombie-1', 3);
    const link = join(root, VM, '.incoming-zombie-1', 'link');
    symlinkSync('nowhere', link);
    const then = new Date(NOW - 3 * HOUR);
    lutimesSync(link, then, then);
    utimesSync(join(root, VM, '.incoming-zombie-1'), then, then);
    expect(await collect()).toEqual({ removed: 2, stuck: [] });
    expect(names()).toEqual(['.deleted-file', '.deleted-link', '.incoming-afile-1']);
  });
  test('one that cannot be removed is told, and the others go', async () => {
    for (const name of ['.deleted-a', '.deleted-b', '.incoming-dead-1']) leave(name, 3);
    chmodSync(join(root, VM, '.deleted-a'), 0);
    const { removed, stuck } = await withoutPrivileges(root, () => collect());
    expect({ removed, stuck }).toEqual({
      removed: 2,
      stuck: [expect.stringContaining('.deleted-a: permission denied')],
    });
  });
  test("one that its agent removes in that moment is nobody's failure", async () => {
    for (let at = 0; at < 40; at++) leave(`.incoming-dead-${at}`, 3);
    const swept = collect();
    for (let at = 39; at >= 0; at--)
      rmSync(join(root, VM, `.incoming-dead-${at}`), { recursive: true, force: true });
    await swept;
    expect(names()).toEqual([]);
  });
  test('those of another cluster are its own affair', async () => {
    leave('.incoming-dead-1', 30);
    expect(await collect('other')).toEqual({ removed: 0, stuck: [] });
  });
});
