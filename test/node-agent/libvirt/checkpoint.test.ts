import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { adoptCheckpoint } from '../../../src/node-agent/libvirt/bitmap.ts';
import {
  listCheckpoints,
  parseCheckpoint,
  readCheckpoint,
} from '../../../src/node-agent/libvirt/checkpoint.ts';
import type { DomainDisk } from '../../../src/node-agent/libvirt/domain-xml.ts';
import { ensureCheckpointAbsent } from '../../../src/node-agent/libvirt/ensure-absent.ts';
import { type FakeBitmap, FakeLibvirt } from './fake-libvirt.ts';

const targets = ['vda', 'vdb', 'vdc'];
const domain = {
  name: 'shop_db',
  disks: targets.map(
    (target, index): DomainDisk => ({
      volume: target,
      alias: `ua-${target}`,
      target,
      device: 'disk',
      format: 'qcow2',
      dataStore: true,
      readonly: false,
      sourcePath: `/${target}`,
      sourceIndex: index + 1,
    }),
  ),
};

/** Whatever a life of restarts, crashes and half-done work can leave behind. */
const worlds = fc.record({
  known: fc.option(fc.uniqueArray(fc.constantFrom(...targets, 'gone'), { minLength: 1 }), { nil: undefined }),
  bitmaps: fc.tuple(
    ...targets.map(() => fc.constantFrom<FakeBitmap | undefined>('good', 'inconsistent', undefined)),
  ),
});

function build(world: { known: string[] | undefined; bitmaps: (FakeBitmap | undefined)[] }): FakeLibvirt {
  const libvirt = new FakeLibvirt(targets);
  for (const [index, target] of targets.entries()) {
    const state = world.bitmaps[index];
    if (state !== undefined) libvirt.bitmaps.get(target)?.set('mine', state);
    libvirt.bitmaps.get(target)?.set('other', 'good');
  }
  if (world.known !== undefined) libvirt.checkpoints.set('mine', world.known);
  libvirt.checkpoints.set('other', targets);
  return libvirt;
}

test('ensureCheckpointAbsent removes every trace from every state, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const libvirt = build(world);
      await ensureCheckpointAbsent(libvirt.virsh, 'shop_db', { name: 'mine', targets });
      expect(libvirt.traces('mine')).toEqual([]);
      expect(libvirt.traces('other')).toEqual(['libvirt', ...targets]);
    }),
  );
});

test('ensureCheckpointAbsent finishes what it began before it died', async () => {
  await fc.assert(
    fc.asyncProperty(worlds, fc.nat(12), async (world, deathAt) => {
      const libvirt = build(world);
      libvirt.before = () => {
        if (libvirt.calls.length === deathAt) throw new Error('died');
      };
      await ensureCheckpointAbsent(libvirt.virsh, 'shop_db', { name: 'mine', targets }).catch(() => {});
      libvirt.before = () => {};
      await ensureCheckpointAbsent(libvirt.virsh, 'shop_db', { name: 'mine', targets });
      expect(libvirt.traces('mine')).toEqual([]);
    }),
  );
});

test('ensureCheckpointAbsent goes by what libvirt knows, too', async () => {
  const libvirt = build({ known: ['vda', 'vdb'], bitmaps: ['good', undefined, undefined] });
  await ensureCheckpointAbsent(libvirt.virsh, 'shop_db', { name: 'mine', targets: [] });
  expect(libvirt.traces('mine')).toEqual([]);
});

test('a refusal that nobody expected stops it', async () => {
  const libvirt = build({ known: ['vda'], bitmaps: ['good', undefined, undefined] });
  libvirt.before = ([command]) => {
    if (command === 'checkpoint-delete') throw new Error('disk on fire');
  };
  const work = ensureCheckpointAbsent(libvirt.virsh, 'shop_db', { name: 'mine', targets });
  await expect(work).rejects.toThrow('disk on fire');
});

test('adoptCheckpoint tells each disk by itself, and libvirt then knows the usable ones', async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const libvirt = build({ ...world, known: undefined });
      const asked = [...targets, 'gone'];
      const states = await adoptCheckpoint(libvirt.virsh, domain, {
        name: 'mine',
        creationTimeSeconds: 7,
        targets: asked,
      });
      const words = { good: 'usable', inconsistent: 'inconsistent', none: 'missing' } as const;
      const expected = asked.map((target, index) => [target, words[world.bitmaps[index] ?? 'none']]);
      expect([...states]).toEqual(expected);
      const usable = targets.filter((_, index) => world.bitmaps[index] === 'good');
      expect(libvirt.checkpoints.get('mine')).toEqual(usable.length === 0 ? undefined : usable);
    }),
  );
});

test('QEMU is not asked while every bitmap is usable: that would taint the domain', async () => {
  const libvirt = build({ known: undefined, bitmaps: ['good', 'good', 'good'] });
  await adoptCheckpoint(libvirt.virsh, domain, { name: 'mine', creationTimeSeconds: 7, targets });
  expect(libvirt.calls.map(([command]) => command)).toEqual(['checkpoint-create']);
});

test('reads a checkpoint: only the disks it tracks', () => {
  const xml = `<domaincheckpoint>
    <name>backup-1795456627</name>
    <parent><name>backup-1795456000</name></parent>
    <creationTime>1795456627</creationTime>
    <disks>
      <disk name='vda' checkpoint='bitmap' bitmap='backup-1795456627'/>
      <disk name='vdc' checkpoint='no'/>
    </disks>
  </domaincheckpoint>`;
  expect(parseCheckpoint(xml)).toEqual({
    name: 'backup-1795456627',
    creationTimeSeconds: 1_795_456_627,
    targets: ['vda'],
  });
});

test('a checkpoint that libvirt does not know is undefined', async () => {
  const libvirt = new FakeLibvirt(targets);
  expect(await readCheckpoint(libvirt.virsh, 'shop_db', 'mine')).toBeUndefined();
});

test.each([
  ['c1\nc2\n\n', ['c1', 'c2']],
  ['\n', []],
])('checkpoint-list prints %j', async (text, names) => {
  expect(await listCheckpoints(async () => text, 'shop_db')).toEqual(names);
});
