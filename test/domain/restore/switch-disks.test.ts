import { describe, expect, test } from 'vitest';
import type { RestorePlan } from '../../../src/crds/vmrestore.ts';
import type { StoredVm } from '../../../src/domain/restore/inspection.ts';
import { setRunStrategy, switchDisks } from '../../../src/domain/restore/switch-disks.ts';
import { GiB, PATH } from './builders.ts';

const NOW = '2026-11-24T00:00:00Z';
const claim = (volume: string, replaces: string) => ({
  ...{ volume, claimName: `${replaces}-new`, replaces, sizeBytes: GiB, requestBytes: GiB },
  ...{ volumeMode: 'Block' as const, accessModes: ['ReadWriteOnce'] },
});
const plan: RestorePlan = { repository: 'nas', path: PATH, claims: [claim('root', 'db-root')] };

function halted(spec: Partial<StoredVm['spec']> = {}): StoredVm {
  return {
    metadata: { name: 'db', uid: 'vm', annotations: { note: 'kept' } },
    spec: {
      runStrategy: 'Halted',
      dataVolumeTemplates: [{ metadata: { name: 'db-root' } }, { metadata: { name: 'db-data' } }],
      template: {
        spec: {
          domain: { firmware: { uuid: 'uuid', serial: 'serial' } },
          volumes: [
            { name: 'data', dataVolume: { name: 'db-data' } },
            { name: 'root', dataVolume: { name: 'db-root', hotpluggable: true } },
            { name: 'cloud', cloudInitNoCloud: {} },
          ],
        },
      },
      ...spec,
    },
  };
}

const changed = (vm: StoredVm) =>
  Object.fromEntries(
    switchDisks(vm, plan, NOW).flatMap((step) =>
      step.op === 'replace' || step.op === 'add' ? [[step.path, step.value]] : [],
    ),
  );

describe('a VM whose disks are turned to the restored ones', () => {
  test('keeps everything else: other volumes, firmware, MAC addresses, instancetype', () => {
    expect(changed(halted())).toEqual({
      '/spec/template/spec/volumes': [
        { name: 'data', dataVolume: { name: 'db-data' } },
        { name: 'root', persistentVolumeClaim: { claimName: 'db-root-new', hotpluggable: true } },
        { name: 'cloud', cloudInitNoCloud: {} },
      ],
      // KubeVirt would import the disk that is no longer named; the other one's template stays, its disk goes with the VM.
      '/spec/dataVolumeTemplates': [{ metadata: { name: 'db-data' } }],
      '/metadata/annotations': { note: 'kept', 'backup.tidemark.dev/restored-at': NOW },
    });
  });

  test('is only turned if it is the one that was looked at', () => {
    const tests = switchDisks(halted(), plan, NOW).filter(({ op }) => op === 'test');
    expect(tests.map(({ path }) => path)).toEqual([
      '/metadata/uid',
      '/spec/runStrategy',
      '/spec/template/spec/volumes',
    ]);
  });

  test.each([
    ['runs by its run strategy', { runStrategy: 'Always' }],
    ['runs in the older way', { runStrategy: undefined, running: true }],
  ])('is left alone while it %s', (_, spec) => {
    expect(switchDisks(halted(spec), plan, NOW)).toEqual([]);
  });

  test('is left alone when it stands on them already', () => {
    const volumes = [{ name: 'root', persistentVolumeClaim: { claimName: 'db-root-new' } }];
    expect(switchDisks(halted({ template: { spec: { volumes } } }), plan, NOW)).toEqual([]);
  });

  test('is stopped and started without the older `running`, which KubeVirt takes only alone', () => {
    expect(setRunStrategy(halted({ runStrategy: undefined, running: true }), 'Halted')).toEqual([
      { op: 'test', path: '/metadata/uid', value: 'vm' },
      { op: 'remove', path: '/spec/running' },
      { op: 'add', path: '/spec/runStrategy', value: 'Halted' },
    ]);
    expect(setRunStrategy(halted(), 'Halted')).toEqual([]);
  });
});
