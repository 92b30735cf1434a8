import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { describeVm, type VmObjects } from '../../../src/domain/definitions/describe.ts';
import { referencesOf } from '../../../src/domain/definitions/references.ts';
import { Definitions } from '../../../src/domain/restore/inspection.ts';

const machine = {
  apiVersion: 'kubevirt.io/v1',
  kind: 'VirtualMachine',
  metadata: {
    uid: 'vm-uid',
    name: 'db',
    resourceVersion: '7',
    generation: 3,
    managedFields: [{}],
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
  },
  spec: {
    instancetype: { name: 'u1.small' },
    preference: { name: 'fedora', kind: 'virtualmachinepreference', revisionName: 'db-fedora' },
    dataVolumeTemplates: [
      { metadata: { name: 'db-root' }, spec: { source: { http: { url: 'u', secretRef: 'import' } } } },
    ],
    template: {
      spec: {
        accessCredentials: [{ sshPublicKey: { source: { secret: { secretName: 'keys' } } } }],
        domain: {
          firmware: { bootloader: { efi: { persistent: true } } },
          devices: { tpm: { persistent: true }, interfaces: [{ name: 'default', masquerade: {} }] },
        },
        volumes: [
          { name: 'root', dataVolume: { name: 'db-root' } },
          { name: 'init', cloudInitNoCloud: { secretRef: { name: 'userdata' }, networkData: 'x' } },
          { name: 'conf', configMap: { name: 'settings' } },
          { name: 'more', secret: { secretName: 'keys' } },
        ],
      },
    },
  },
  status: { instancetypeRef: { controllerRevisionRef: { name: 'db-u1.small' } }, ready: true },
};
const instance = {
  metadata: { name: 'db', uid: 'vmi' },
  spec: { domain: { ...machine.spec.template.spec.domain, firmware: { uuid: 'u-1', serial: 's-1' } } },
  status: { interfaces: [{ name: 'default', mac: '02:00:00:00:00:01' }, { mac: 'no name' }] },
};
const objects: VmObjects = {
  machine,
  instance,
  claims: [{ metadata: { name: 'db-root', uid: 'c' }, spec: {}, status: { capacity: { storage: '10Gi' } } }],
  dataVolumes: [{ metadata: { name: 'db-root', uid: 'd' } }],
  instancetype: { metadata: { name: 'u1.small', uid: 'i' }, spec: { cpu: { guest: 1 } } },
  preference: undefined,
  controllerRevisions: [{ metadata: { name: 'db-u1.small', uid: 'r' }, data: { spec: {} } }],
};

describe('what a backup holds of its VM', () => {
  test('the definition leads to volumes, instancetype, preference, revisions, and names of secrets', () => {
    expect(referencesOf(machine)).toEqual({
      dataVolumes: ['db-root'],
      instancetype: { kind: 'VirtualMachineClusterInstancetype', name: 'u1.small' },
      preference: { kind: 'virtualmachinepreference', name: 'fedora' },
      controllerRevisions: ['db-fedora', 'db-u1.small'],
      secrets: ['import', 'keys', 'userdata'],
      configMaps: ['settings'],
    });
  });

  test('a VM of a shape that nobody knows refers to nothing', () => {
    for (const odd of [undefined, null, 'x', { spec: 7 }, {}])
      expect(referencesOf(odd).dataVolumes).toEqual([]);
  });

  test('the instance tells what KubeVirt made up, and that there is state which no disk holds', () => {
    const { objects: stored } = describeVm({ ...objects, instance });
    expect(stored).toMatchObject({
      identity: {
        firmware: { uuid: 'u-1', serial: 's-1' },
        macAddresses: { default: '02:00:00:00:00:01' },
      },
      uses: {
        secrets: ['import', 'keys', 'userdata'],
        configMaps: ['settings'],
        persistentState: { tpm: true, efi: false },
      },
    });
  });

  test('a VM that does not run has the identity that its own definition says', () => {
    const { objects: stored } = describeVm({ ...objects, instance: undefined });
    expect(stored).toMatchObject({ identity: {}, uses: { persistentState: { tpm: true, efi: true } } });
  });

  test('a restore reads it', () => {
    const read = Definitions.parse(JSON.parse(JSON.stringify(describeVm(objects).objects)));
    expect(read.virtualMachine.metadata.name).toBe('db');
    expect(read.persistentVolumeClaims[0]?.status?.capacity?.storage).toBe('10Gi');
    expect(read.controllerRevisions?.map(({ metadata }) => metadata.name)).toEqual(['db-u1.small']);
  });

  test('the files are the same for the same wishes, whatever order and noise the API server adds', () => {
    const { metadata, spec, apiVersion, kind } = machine;
    const later = {
      status: { ready: false },
      spec,
      kind,
      apiVersion,
      metadata: { generation: 9, resourceVersion: '99', name: metadata.name, uid: metadata.uid },
    };
    const files = describeVm(objects).files;
    expect(describeVm({ ...objects, machine: later }).files.slice(0, 1)).toEqual(files.slice(0, 1));
    expect(files.map(({ name }) => name)).toEqual([
      'vm.yaml',
      'identity.yaml',
      'pvc-db-root.yaml',
      'datavolume-db-root.yaml',
      'instancetype.yaml',
      'controllerrevision-db-u1.small.yaml',
    ]);
    expect(parse(files[0]?.content ?? '')).toMatchObject({ kind: 'VirtualMachine', spec });
    expect(files[0]?.content).not.toMatch(/managedFields|resourceVersion|status|last-applied/);
  });
});
