import { describe, expect, test } from 'vitest';
import type { RestorePlan } from '../../../src/crds/vmrestore.ts';
import { planRestore, type PlanQuestion } from '../../../src/domain/restore/plan.ts';
import {
  claimsOnly,
  existingClaim,
  GiB,
  inPlace,
  inspection,
  newVM,
  restore,
  source,
  UID,
  vm,
  withRevisions,
} from './builders.ts';

function ask(changes: Partial<PlanQuestion> = {}): PlanQuestion {
  return {
    restore: restore(newVM),
    source,
    inspection: inspection(),
    claims: new Map(),
    vm: undefined,
    ...changes,
  };
}

function planned(changes: Partial<PlanQuestion> = {}): RestorePlan {
  const plan = planRestore(ask(changes));
  if ('reason' in plan) throw new Error(plan.message);
  return plan;
}

function withDamaged(name: string) {
  const found = inspection();
  const volumes = found.volumes.map((volume) =>
    volume.name === name ? { ...volume, reason: 'ParentDataDamaged', message: 'what' } : volume,
  );
  return { ...found, volumes };
}

describe('a plan', () => {
  test('gives each disk a claim like the one it had', () => {
    expect(planned().claims).toEqual([
      {
        volume: 'root',
        claimName: 'db-2-root',
        sizeBytes: 10 * GiB,
        requestBytes: 11 * GiB,
        volumeMode: 'Block',
        accessModes: ['ReadWriteMany'],
        storageClassName: 'ceph',
      },
      expect.objectContaining({ volume: 'data', claimName: 'db-2-data', volumeMode: 'Filesystem' }),
    ]);
  });

  test('makes room for a file system where nobody knows what the claim was', () => {
    const { claims } = planned({ inspection: inspection({ persistentVolumeClaims: [] }) });
    expect(claims[0]).toMatchObject({
      requestBytes: Math.ceil(10 * GiB * 1.06),
      accessModes: ['ReadWriteOnce'],
    });
    expect(claims[0]).not.toHaveProperty('storageClassName');
  });

  test.each([
    ['the class that is mapped', { ceph: 'ssd', '*': 'slow' }, 'ssd'],
    ['the one for all others', { nfs: 'ssd', '*': 'slow' }, 'slow'],
    ['the one it had', { nfs: 'ssd' }, 'ceph'],
  ])('takes %s', (_, storageClassMap, expected) => {
    expect(planned({ restore: restore(newVM, { storageClassMap }) }).claims[0]?.storageClassName).toBe(
      expected,
    );
  });

  test('takes other access modes and another volume mode where that is asked for', () => {
    const asked = { accessModes: ['ReadWriteOnce'], volumeMode: 'Block' } as const;
    const { claims } = planned({
      restore: restore(newVM, { ...asked, accessModes: [...asked.accessModes] }),
    });
    expect(claims.map(({ accessModes, volumeMode }) => [accessModes, volumeMode])).toEqual([
      [['ReadWriteOnce'], 'Block'],
      [['ReadWriteOnce'], 'Block'],
    ]);
  });

  test('makes room for the file system that a disk of mode Block had not', () => {
    const tight = {
      spec: { volumeMode: 'Block', resources: { requests: { storage: '10Gi' } } },
      metadata: { name: 'db-root' },
    };
    const found = inspection({ persistentVolumeClaims: [tight] });
    const bytesAs = (volumeMode: 'Block' | 'Filesystem') =>
      planned({ inspection: found, restore: restore(newVM, { volumeMode }) }).claims[0]?.requestBytes;
    expect(bytesAs('Block')).toBe(10 * GiB);
    expect(bytesAs('Filesystem')).toBe(Math.ceil(10 * GiB * 1.06));
  });

  test('names the claims of each target differently, and in place those that they replace', () => {
    const names = (target: object, changes: Partial<PlanQuestion> = {}) =>
      planned({ restore: restore(target), ...changes }).claims.map(({ claimName }) => claimName);
    expect(names(claimsOnly)).toEqual(['restored-root', 'restored-data']);
    expect(names(inPlace, { vm: vm() })).toEqual(['db-root-dddddddd', 'db-data-dddddddd']);
    const replaced = planned({ restore: restore(inPlace), vm: vm() }).claims.map(({ replaces }) => replaces);
    expect(replaced).toEqual(['db-root', 'db-data']);
  });

  test('restores only the volumes that are asked for, and says what the new VM will lack', () => {
    const plan = planned({ restore: restore(newVM, { volumes: ['root'] }) });
    expect(plan.claims.map(({ volume }) => volume)).toEqual(['root']);
    expect(plan.leftOut).toEqual([
      'volume data: not restored, so the new VM does not have it',
      'instancetype large: taken as it is today; what it was is not in the backup',
    ]);
  });

  test('leaves out no instancetype or preference that the backup holds as it was', () => {
    expect(planned({ inspection: withRevisions() })).not.toHaveProperty('leftOut');
  });

  test.each([
    ['Always', { runStrategy: 'Always' }, 'Always'],
    ['the older running: true', { runStrategy: undefined, running: true }, 'Always'],
    ['neither', { runStrategy: undefined }, 'Halted'],
  ] as const)('in place remembers how the VM ran: %s', (_, spec, expected) => {
    expect(planned({ restore: restore(inPlace), vm: vm(spec) }).runStrategy).toBe(expected);
  });
});

describe('nothing is touched', () => {
  const tpm = { devices: { tpm: { persistent: true } } };
  const keep = { ...newVM.newVM, identity: 'Keep' } as const;
  const uses = { secrets: [], configMaps: [] };
  const efi = { firmware: { bootloader: { efi: { persistent: true } } } };
  test.each<[string, Partial<PlanQuestion>, string]>([
    [
      'when a volume is not in the backup',
      { restore: restore(newVM, { volumes: ['swap'] }) },
      'VolumeNotInBackup',
    ],
    ['when the VM had a persistent TPM', { inspection: inspection({}, tpm) }, 'PersistentStateNotInBackup'],
    [
      'when it had persistent EFI variables',
      { inspection: inspection({}, efi) },
      'PersistentStateNotInBackup',
    ],
    [
      'when its preference gave it a persistent TPM',
      { inspection: inspection({ uses: { ...uses, persistentState: { tpm: true, efi: false } } }) },
      'PersistentStateNotInBackup',
    ],
    ['when a volume is not whole', { inspection: withDamaged('root') }, 'BackupDataDamaged'],
    [
      'when the backup is of another VM',
      { restore: restore({ inPlace: { vmName: 'web', stopVM: true } }), vm: vm() },
      'BackupOfAnotherVM',
    ],
    ['when the name of the new VM is taken', { vm: vm() }, 'VMExists'],
    [
      'when the new VM would run with the identity of one that is still there',
      { restore: restore({ newVM: { ...keep, runStrategy: 'Always' } }), original: vm() },
      'OriginalStillThere',
    ],
    ['when there is no VM to restore in place', { restore: restore(inPlace) }, 'VMNotFound'],
    [
      'when the VM has no such volume any more',
      { restore: restore(inPlace), vm: vm({ template: { spec: { volumes: [] } } }) },
      'VolumeNotInVM',
    ],
    [
      'when a claim is there',
      { claims: new Map([['db-2-data', existingClaim('db-2-data')]]) },
      'ClaimExists',
    ],
    [
      'when a claim is there of another restore',
      { claims: new Map([['db-2-data', existingClaim('db-2-data', 'another')]]) },
      'ClaimExists',
    ],
  ])('%s', (_, changes, reason) => {
    expect(planRestore(ask(changes))).toMatchObject({ reason });
  });

  test.each([
    ['one that is halted', { ...keep, runStrategy: 'Halted' }],
    ['one with an identity of its own', { ...newVM.newVM, runStrategy: 'Always' }],
  ] as const)('but %s may be made beside the original', (_, asked) => {
    expect(planned({ restore: restore({ newVM: asked }), original: vm() }).vmName).toBe('db-2');
  });

  test('but a volume that is not asked for may be damaged', () => {
    const asked = restore(newVM, { volumes: ['data'] });
    expect(planned({ restore: asked, inspection: withDamaged('root') }).claims).toHaveLength(1);
  });

  test('but its own claims and its own VM are no obstacle: it was killed half-way', () => {
    const claims = new Map([['db-2-data', existingClaim('db-2-data', UID)]]);
    expect(planned({ claims, vm: vm({}, { 'backup.tidemark.dev/restore': UID }) }).claims).toHaveLength(2);
  });

  test('and the TPM is passed over when that is asked for, or when only claims are made', () => {
    const withTpm = inspection({}, tpm);
    expect(
      planned({ inspection: withTpm, restore: restore(newVM, { withoutPersistentState: true }) }).leftOut,
    ).toEqual([
      'instancetype large: taken as it is today; what it was is not in the backup',
      'persistent TPM and EFI state: in no backup',
    ]);
    expect(planned({ inspection: withTpm, restore: restore(claimsOnly) }).claims).toHaveLength(2);
  });
});
