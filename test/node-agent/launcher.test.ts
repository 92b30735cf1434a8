import { expect, test } from 'vitest';
import { pods } from '../../src/crds/core.ts';
import { virtualMachineInstances } from '../../src/crds/kubevirt.ts';
import {
  assertSocketPathFits,
  chooseLauncherPod,
  type LauncherPod,
  type LauncherVmi,
  nbdSocket,
  podPaths,
  sharedPath,
} from '../../src/node-agent/launcher.ts';

const uid = '4f8d6a9e-52c1-4a6b-9e58-0d3f0c2b7a11';

test('the paths that KubeVirt gives a launcher pod', () => {
  const volumes = `/pods/${uid}/volumes/kubernetes.io~empty-dir`;
  expect(podPaths('/pods', uid)).toEqual({
    libvirtSocket: `${volumes}/libvirt-runtime/virtqemud-sock`,
    sockets: { inside: '/var/run/kubevirt/sockets', outside: `${volumes}/sockets` },
    scratch: { inside: '/var/run/kubevirt-ephemeral-disks', outside: `${volumes}/ephemeral-disks` },
  });
});

test('a pods directory that is too long for a socket says so, and what to do', () => {
  expect(podPaths('/pods', uid).libvirtSocket).toHaveLength(105);
  expect(() => podPaths('/var/lib/kubelet/pods', uid)).toThrow(
    expect.objectContaining({
      reason: 'SocketPathTooLong',
      message: expect.stringMatching(/virtqemud-sock has 121 bytes.*mount kubelet's pods directory/),
    }),
  );
});

test.each([
  ['a'.repeat(107), true],
  ['a'.repeat(108), false],
  ['é'.repeat(54), false],
])('a socket path of as many bytes: %s fits: %s', (path, fits) => {
  if (fits) expect(() => assertSocketPathFits(path)).not.toThrow();
  else expect(() => assertSocketPathFits(path)).toThrow('107');
});

test('an NBD socket has both its paths, and 24 bytes for its name under /pods', () => {
  const paths = podPaths('/pods', uid);
  const name = 'x'.repeat(24);
  expect(nbdSocket(paths, name)).toEqual({
    inside: `/var/run/kubevirt/sockets/${name}`,
    outside: `/pods/${uid}/volumes/kubernetes.io~empty-dir/sockets/${name}`,
  });
  expect(() => nbdSocket(paths, `${name}x`)).toThrow(
    expect.objectContaining({ reason: 'SocketPathTooLong' }),
  );
});

test('a scratch file has both its paths', () => {
  expect(sharedPath(podPaths('/pods', uid).scratch, 'root.scratch')).toEqual({
    inside: '/var/run/kubevirt-ephemeral-disks/root.scratch',
    outside: `/pods/${uid}/volumes/kubernetes.io~empty-dir/ephemeral-disks/root.scratch`,
  });
});

test.each(['', '..', 'a/b', '../../etc', 'a b'])('%j is no pod UID', (uid) => {
  expect(() => podPaths('/pods', uid)).toThrow(expect.objectContaining({ reason: 'InvalidPodUid' }));
});

const vmi = (status: LauncherVmi['status'] = {}): LauncherVmi => ({
  metadata: { uid: 'vmi-1', name: 'db' },
  status: { nodeName: 'node-1', activePods: { a: 'node-1', b: 'node-1', far: 'node-2' }, ...status },
});

const pod = (
  uid: string,
  change: Partial<LauncherPod['metadata']> & { nodeName?: string; phase?: string } = {},
) => {
  const { nodeName = 'node-1', phase = 'Running', ...metadata } = change;
  return {
    metadata: {
      uid,
      name: `virt-launcher-db-${uid}`,
      creationTimestamp: '2026-11-23T10:00:00Z',
      ownerReferences: [{ uid: 'vmi-1', controller: true }],
      ...metadata,
    },
    spec: { nodeName },
    status: { phase },
  } satisfies LauncherPod;
};

const newer = { creationTimestamp: '2026-11-23T10:00:01Z' };
const toA = { targetPod: 'virt-launcher-db-a' };

test.each<[string, string, LauncherVmi, readonly LauncherPod[]]>([
  ['the only one', 'a', vmi(), [pod('a')]],
  ['the newest', 'b', vmi(), [pod('a'), pod('b', newer)]],
  ['the newest, in whatever order', 'b', vmi(), [pod('b', newer), pod('a')]],
  ['the running one', 'a', vmi(), [pod('a'), pod('b', { ...newer, phase: 'Succeeded' })]],
  ['the active one', 'a', vmi({ activePods: { a: 'node-1' } }), [pod('a'), pod('b', newer)]],
  [
    "the VMI's",
    'a',
    vmi(),
    [pod('a'), pod('b', { ...newer, ownerReferences: [{ uid: 'vmi-2', controller: true }] })],
  ],
  [
    'the one that it controls',
    'a',
    vmi(),
    [pod('a'), pod('b', { ...newer, ownerReferences: [{ uid: 'vmi-1' }] })],
  ],
  ['the one on the node', 'a', vmi(), [pod('a'), pod('far', { ...newer, nodeName: 'node-2' })]],
  ['the source of a migration', 'b', vmi({ migrationState: toA }), [pod('a', newer), pod('b')]],
  [
    'the target of a completed migration',
    'a',
    vmi({ migrationState: { ...toA, completed: true } }),
    [pod('a')],
  ],
])('chooses %s', (_, expected, vmi, pods) => {
  expect(chooseLauncherPod(vmi, pods, 'node-1')).toMatchObject({ found: true, podUid: expected });
});

test.each<[string, LauncherVmi, readonly LauncherPod[], string, string]>([
  ['the VM is on another node', vmi({ nodeName: 'node-2' }), [pod('a')], 'VMNotOnNode', 'on node node-2'],
  ['the VM is on no node', vmi({ nodeName: undefined }), [], 'VMNotOnNode', 'on no node'],
  ['there is no pod', vmi(), [], 'LauncherNotFound', 'No running virt-launcher pod of the VM db'],
  [
    'only the target of a migration is here',
    vmi({ migrationState: toA }),
    [pod('a')],
    'LauncherNotFound',
    'db',
  ],
  [
    'two are of one age',
    vmi(),
    [pod('a'), pod('b')],
    'LauncherAmbiguous',
    'virt-launcher-db-a and virt-launcher-db-b',
  ],
  ['the status is empty', { metadata: { uid: 'vmi-1', name: 'db' } }, [pod('a')], 'VMNotOnNode', 'db'],
])('says why when %s', (_, vmi, pods, reason, words) => {
  const choice = chooseLauncherPod(vmi, pods, 'node-1');
  expect(choice).toMatchObject({ found: false, reason, message: expect.stringContaining(words) });
});

test('a VMI without UID owns no pod', () => {
  const orphan = pod('a', { ownerReferences: [{ uid: '', controller: true }] });
  const nameless = { ...vmi(), metadata: { name: 'db' } };
  expect(chooseLauncherPod(nameless, [orphan], 'node-1')).toMatchObject({ reason: 'LauncherNotFound' });
});

test('takes the objects as the API server gives them', () => {
  const uid = 'vmi-1';
  const vmi = virtualMachineInstances.parse({
    metadata: { name: 'db', namespace: 'shop', uid },
    status: { phase: 'Running', nodeName: 'node-1', activePods: { a: 'node-1' } },
  });
  const owner = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    name: 'db',
    uid,
    controller: true,
  };
  const launcher = pods.parse({
    metadata: { name: 'virt-launcher-db-x', uid: 'a', ownerReferences: [owner] },
    spec: { nodeName: 'node-1' },
    status: { phase: 'Running' },
  });
  expect(chooseLauncherPod(vmi, [launcher], 'node-1')).toEqual({ found: true, pod: launcher, podUid: 'a' });
});
