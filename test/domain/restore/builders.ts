import type { PersistentVolumeClaim } from '../../../src/crds/core.ts';
import type { VirtualMachine } from '../../../src/crds/kubevirt.ts';
import type { VMRestore } from '../../../src/crds/vmrestore.ts';
import type { Inspection } from '../../../src/domain/restore/inspection.ts';
import { RESTORE_LABEL } from '../../../src/domain/restore/names.ts';
import { repository } from '../builders.ts';

export const UID = 'dddddddd-0000-4000-8000-000000000009';
export const PATH = 'cluster/shop/db-aaaaaaaa/20261123T180000Z-bbbbbbbb';
export const GiB = 2 ** 30;

/** Lawful parts of a restore; each test says only what it is about. */
export function restore(
  target: Partial<VMRestore['spec']['target']>,
  spec: Partial<VMRestore['spec']> = {},
  status?: VMRestore['status'],
): VMRestore {
  return {
    metadata: { name: 'r', namespace: 'shop', uid: UID },
    spec: {
      source: { repositoryPath: { repository: 'nas', path: PATH } },
      withoutPersistentState: false,
      verifyFirst: false,
      dryRun: false,
      ...spec,
      target,
    },
    ...(status && { status }),
  };
}

export const newVM = { newVM: { name: 'db-2', runStrategy: 'Halted', identity: 'New' } } as const;
export const claimsOnly = { claims: { prefix: 'restored-' } };
export const inPlace = { inPlace: { vmName: 'db', stopVM: true } };

export const source = { repository: repository(), path: PATH };

const volume = (name: string) => ({
  name,
  type: 'Full' as const,
  virtualSizeBytes: 10 * GiB,
  dataBytes: 0,
  zeroBytes: 0,
  imageBytes: 0,
  bitmap: null,
  parentId: null,
  chainLength: 1,
  reason: null,
  message: null,
});

const claim = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: {
    volumeMode: 'Block',
    accessModes: ['ReadWriteMany'],
    storageClassName: 'ceph',
    resources: { requests: { storage: '10Gi' } },
    ...spec,
  },
  status: { capacity: { storage: '11Gi' } },
});

/** A VM with a disk from a dataVolumeTemplate, one from a claim, and cloud-init. */
export function inspection(
  changes: Partial<Inspection['definitions']> = {},
  domain: object = {},
): Inspection {
  return {
    event: 'result',
    command: 'inspect',
    directory: '/mnt/repository',
    usable: true,
    reason: null,
    message: null,
    backup: {
      id: 'b',
      uid: 'b',
      name: 'b',
      namespace: 'shop',
      createdAt: '2026-11-23T18:00:00Z',
      type: 'Full',
      bitmap: null,
      chainId: 'c',
      chainPosition: 0,
      vmUid: 'vm',
    },
    volumes: [volume('root'), volume('data')],
    definitions: {
      virtualMachine: {
        metadata: {
          name: 'db',
          labels: { app: 'db' },
          annotations: { 'kubevirt.io/latest': '1', note: 'kept' },
        },
        spec: {
          running: true,
          instancetype: { name: 'large', revisionName: 'db-large-v1' },
          dataVolumeTemplates: [{ metadata: { name: 'db-root' }, spec: {} }],
          template: {
            spec: {
              domain: {
                firmware: { uuid: 'stored-uuid', serial: 'stored-serial' },
                devices: {
                  disks: [{ name: 'root' }, { name: 'data' }, { name: 'cloud' }],
                  interfaces: [{ name: 'default', macAddress: '02:00:00:00:00:01', masquerade: {} }],
                },
                ...domain,
              },
              volumes: [
                { name: 'root', dataVolume: { name: 'db-root' } },
                { name: 'data', persistentVolumeClaim: { claimName: 'db-data' } },
                { name: 'cloud', cloudInitNoCloud: { userData: 'x' } },
              ],
            },
          },
        },
      },
      persistentVolumeClaims: [claim('db-root'), claim('db-data', { volumeMode: 'Filesystem' })],
      identity: {
        firmware: { uuid: 'effective-uuid', serial: 'effective-serial' },
        macAddresses: { default: '02:00:00:00:00:99' },
      },
      ...changes,
    },
  };
}

/** What KubeVirt noted of the instancetype `large` and the preference `linux`: the one in the VM's spec, the other in its status. */
export function withRevisions(): Inspection {
  const found = inspection();
  const { virtualMachine } = found.definitions;
  const revision = (name: string, of: string) => ({
    metadata: { name, labels: { 'instancetype.kubevirt.io/object-name': of, app: 'mesh' } },
    data: { spec: { of } },
    revision: 0,
  });
  Object.assign(virtualMachine.spec, { preference: { name: 'linux' } });
  Object.assign(virtualMachine, {
    status: { preferenceRef: { controllerRevisionRef: { name: 'db-linux-v1' } } },
  });
  const controllerRevisions = [revision('db-large-v1', 'large'), revision('db-linux-v1', 'linux')];
  return { ...found, definitions: { ...found.definitions, controllerRevisions } };
}

export function existingClaim(name: string, restoreUid?: string): PersistentVolumeClaim {
  const labels = restoreUid === undefined ? {} : { [RESTORE_LABEL]: restoreUid };
  return { metadata: { name, namespace: 'shop', uid: `uid-of-${name}`, labels } };
}

/** Where KubeVirt keeps what it notes of the VM, overlays of its disks included. */
export function stateClaim(): PersistentVolumeClaim {
  const labels = { 'persistent-state-for': 'db' };
  return { metadata: { name: 'persistent-state-for-db-x', namespace: 'shop', uid: 'state', labels } };
}

/** The VM as it is today. */
export function vm(
  changes: Partial<VirtualMachine['spec']> = {},
  labels: Record<string, string> = {},
): VirtualMachine {
  return {
    metadata: { name: 'db', namespace: 'shop', uid: 'vm', labels },
    spec: {
      runStrategy: 'Always',
      template: {
        spec: {
          volumes: [
            { name: 'root', dataVolume: { name: 'db-root' } },
            { name: 'data', persistentVolumeClaim: { claimName: 'db-data' } },
          ],
        },
      },
      ...changes,
    },
  };
}
