import { describe, expect, test } from 'vitest';
import { newVm } from '../../../src/domain/restore/new-vm.ts';
import { planRestore } from '../../../src/domain/restore/plan.ts';
import { inspection, newVM, restore, source, UID, withRevisions } from './builders.ts';

const NOW = '2026-11-24T00:00:00Z';

function made(identity: 'New' | 'Keep', spec: object = {}, found = inspection()) {
  const asked = restore({ newVM: { ...newVM.newVM, identity } }, spec);
  const plan = planRestore({ restore: asked, source, inspection: found, claims: new Map(), vm: undefined });
  if ('reason' in plan) throw new Error(plan.message);
  return newVm(asked, plan, found.definitions, NOW);
}

describe('the new VM', () => {
  test('stands on the restored claims, and imports nothing anew', () => {
    const { spec } = made('New');
    expect(spec).not.toHaveProperty('dataVolumeTemplates');
    expect(spec).toMatchObject({
      runStrategy: 'Halted',
      template: {
        spec: {
          volumes: [
            { name: 'root', persistentVolumeClaim: { claimName: 'db-2-root' } },
            { name: 'data', persistentVolumeClaim: { claimName: 'db-2-data' } },
            { name: 'cloud', cloudInitNoCloud: { userData: 'x' } },
          ],
        },
      },
    });
    expect(spec).not.toHaveProperty('running');
  });

  test('has the disks that could be unplugged as such', () => {
    const found = inspection();
    const [root, data] = found.definitions.virtualMachine.spec.template.spec.volumes ?? [];
    Object.assign(root?.dataVolume ?? {}, { hotpluggable: true });
    Object.assign(data?.persistentVolumeClaim ?? {}, { hotpluggable: true });
    expect(made('New', {}, found).spec).toMatchObject({
      template: {
        spec: {
          volumes: [
            { name: 'root', persistentVolumeClaim: { claimName: 'db-2-root', hotpluggable: true } },
            { name: 'data', persistentVolumeClaim: { claimName: 'db-2-data', hotpluggable: true } },
            { name: 'cloud' },
          ],
        },
      },
    });
  });

  test.each(['Always', 'Halted', 'Manual'] as const)('runs as it is asked to: %s', (runStrategy) => {
    const asked = restore({ newVM: { ...newVM.newVM, runStrategy } });
    const { definitions } = inspection();
    const plan = planRestore({
      restore: asked,
      source,
      inspection: inspection(),
      claims: new Map(),
      vm: undefined,
    });
    if ('reason' in plan) throw new Error(plan.message);
    expect(newVm(asked, plan, definitions, NOW).spec).toMatchObject({ runStrategy });
  });

  test('takes instancetype and preference as they were, by revisions of its own', () => {
    const { spec } = made('New', {}, withRevisions());
    expect(spec).toMatchObject({
      instancetype: { name: 'large', revisionName: 'db-2-instancetype-dddddddd' },
      preference: { name: 'linux', revisionName: 'db-2-preference-dddddddd' },
    });
  });

  test('takes its instancetype as it is today where the backup does not hold what it was', () => {
    expect(made('New').spec).toMatchObject({ instancetype: { name: 'large' } });
    expect(JSON.stringify(made('New').spec)).not.toContain('revisionName');
  });

  test('has no disk without a volume', () => {
    const { spec } = made('New', { volumes: ['root'] });
    expect(spec).toMatchObject({
      template: { spec: { domain: { devices: { disks: [{ name: 'root' }, { name: 'cloud' }] } } } },
    });
  });

  test('leaves the original its memory dump, its shared file systems and what KubeVirt put there', () => {
    const found = inspection();
    const { spec } = found.definitions.virtualMachine.spec.template;
    spec.volumes?.push({ name: 'dump', memoryDump: { claimName: 'db-dump' } });
    spec.volumes?.push({ name: 'shared', persistentVolumeClaim: { claimName: 'team' } });
    Object.assign(spec, { utilityVolumes: [{ name: 'backup', claimName: 'scratch' }] });
    Object.assign(spec.domain?.devices ?? {}, { filesystems: [{ name: 'shared', virtiofs: {} }] });
    const asked = restore(newVM);
    const plan = planRestore({ restore: asked, source, inspection: found, claims: new Map(), vm: undefined });
    if ('reason' in plan) throw new Error(plan.message);
    const text = JSON.stringify(newVm(asked, plan, found.definitions, NOW));
    expect(text).not.toMatch(/db-dump|team|scratch|virtiofs/);
    expect(plan.leftOut).toContain('volume shared: not restored, so the new VM does not have it');
  });

  test('has the serials of its disks, by which the guest finds them, whoever it is', () => {
    const found = inspection();
    const [disk] = found.definitions.virtualMachine.spec.template.spec.domain?.devices?.disks ?? [];
    Object.assign(disk ?? {}, { serial: 'disk-1' });
    for (const identity of ['New', 'Keep'] as const)
      expect(JSON.stringify(made(identity, {}, found).spec)).toContain('"serial":"disk-1"');
  });

  test('gets a new identity, so that it can run beside the original', () => {
    const text = JSON.stringify(made('New').spec);
    expect(text).not.toMatch(/stored-uuid|effective-uuid|serial|macAddress/);
    expect(text).toContain('"masquerade"');
  });

  test('or keeps what the guest and the network knew it by', () => {
    expect(made('Keep').spec).toMatchObject({
      template: {
        spec: {
          domain: {
            firmware: { uuid: 'effective-uuid', serial: 'effective-serial' },
            devices: { interfaces: [{ name: 'default', macAddress: '02:00:00:00:00:99' }] },
          },
        },
      },
    });
  });

  test('says that it was restored, and keeps the notes that people made', () => {
    expect(made('New').metadata).toEqual({
      name: 'db-2',
      namespace: 'shop',
      labels: { app: 'db', 'backup.tidemark.dev/restore': UID },
      annotations: { note: 'kept', 'backup.tidemark.dev/restored-at': NOW },
    });
  });
});
