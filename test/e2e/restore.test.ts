import { existsSync } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { VMRestore, type VMRestoreStatus } from '../../src/crds/vmrestore.ts';
import type { ControlPlane } from '../support/control-plane/control-plane.ts';
import { type Kubelet, startKubelet } from '../support/kubelet/kubelet.ts';
import { STORAGE_CLASS } from '../support/kubelet/volumes.ts';
import { MiB, run, type StandInVm, standInVm } from '../support/launcher/index.ts';
import {
  apiPath,
  type Installation,
  installTidemark,
  NAMESPACE,
  NODE,
} from '../support/tidemark/installation.ts';
import { giveInstancetype, serveVmWebhook } from '../support/tidemark/instancetypes.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { backUpNow, type Point, takePoint } from '../support/tidemark/points.ts';

const Reference = z.object({ name: z.string(), revisionName: z.string() });
const Taken = z.object({
  metadata: z.object({ uid: z.string() }),
  spec: z.object({ instancetype: Reference, preference: Reference }),
});

/** One VM with a full and an incremental; each test restores it in another way. */
describe('a restore by object', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let kubelet: Kubelet;
  let vm: StandInVm;
  let full: Point;
  let incremental: Point;
  let taken: Awaited<ReturnType<typeof giveInstancetype>>;

  beforeAll(async () => {
    tidemark = resources.use(await installTidemark());
    const { cluster, directory, programs } = tidemark;
    kubelet = resources.use(await startKubelet({ cluster, nodeName: NODE, directory, programs }));
    const disks = [
      { volume: 'root', kind: 'cbt', size: 32 * MiB },
      { volume: 'data', kind: 'qcow2', size: 16 * MiB, volumeMode: 'Block' },
    ] as const;
    const { podsDir } = tidemark;
    vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
    resources.use(await serveVmWebhook(cluster));
    await tidemark.kubevirt.define(vm);
    taken = await giveInstancetype(tidemark, vm);
    await tidemark.kubevirt.start(vm, NODE);
    for (const { volume } of vm.disks) await vm.write(volume, { pattern: 0x41, offset: 0, length: 4 * MiB });
    full = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'full'));
    await vm.write('root', { pattern: 0x42, offset: MiB, length: 2 * MiB });
    incremental = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'incremental'));
  });
  afterAll(() => resources.disposeAsync());

  /** Makes a VMRestore of the incremental, unless told otherwise. */
  async function restore(name: string, spec: object): Promise<void> {
    await tidemark.apply({
      apiVersion: 'backup.tidemark.dev/v1alpha1',
      kind: 'VMRestore',
      metadata: { name, namespace: NAMESPACE },
      spec: { source: { backupName: 'incremental' }, storageClassMap: { '*': STORAGE_CLASS }, ...spec },
    });
  }

  async function read(name: string): Promise<VMRestore> {
    return VMRestore.parse(await tidemark.cluster.get(`${apiPath('vmrestores')}/${name}`));
  }

  async function object(kind: string, name: string): Promise<unknown> {
    return JSON.parse(
      await tidemark.cluster.kubectl(['-n', NAMESPACE, 'get', kind, name, '-o', 'json']),
    ) as unknown;
  }

  const ended = (name: string): Promise<VMRestoreStatus> =>
    eventually(
      `the end of restore ${name}`,
      async () => {
        const { status } = await read(name);
        return status?.completedAt === undefined ? undefined : status;
      },
      90,
    );

  async function claims(): Promise<readonly string[]> {
    const listed = await tidemark.cluster.kubectl(['-n', NAMESPACE, 'get', 'pvc', '-o', 'name']);
    return listed
      .trim()
      .split('\n')
      .map((line) => line.replace('persistentvolumeclaim/', ''));
  }

  const revisions = async (): Promise<readonly string[]> =>
    (await tidemark.cluster.kubectl(['-n', NAMESPACE, 'get', 'controllerrevision', '-o', 'name']))
      .trim()
      .split('\n');

  const jobsGone = () =>
    eventually('its Jobs are gone', async () => {
      const jobs = await tidemark.cluster.kubectl(['-n', NAMESPACE, 'get', 'jobs', '-o', 'name']);
      return jobs === '' ? true : undefined;
    });

  /** The claim's device, or its disk.img, is what the volume held, and KubeVirt's QEMU may use it. */
  async function expectHeld(claim: string, point: Point, volume: string): Promise<void> {
    const device = kubelet.claimDevice(NAMESPACE, claim);
    if (existsSync(device)) return void (await run(['cmp', device, point.held.get(volume)?.file ?? '']));
    const image = join(kubelet.claimDirectory(NAMESPACE, claim), 'disk.img');
    await run(['cmp', image, point.held.get(volume)?.file ?? '']);
    const { uid, gid } = await stat(image);
    expect([uid, gid]).toEqual([107, 107]);
  }

  test('to claims alone gives each volume a claim of its own, byte for byte', async () => {
    const asked = [
      'restore',
      'incremental',
      '--disks',
      '--prefix',
      'back-',
      '--storage-class',
      STORAGE_CLASS,
    ];
    const { stderr } = await run([
      ...tidemark.cli,
      ...['-n', NAMESPACE, ...asked, '--name', 'disks', '--wait'],
    ]);
    expect(stderr).toContain('Restored 48.0Mi: root to claim back-root, data to claim back-data');
    const { status } = await read('disks');
    expect(status).toMatchObject({ phase: 'Succeeded', percent: 100 });
    expect(status?.plan?.claims.map(({ volumeMode }) => volumeMode)).toEqual(['Filesystem', 'Block']);
    for (const volume of ['root', 'data']) await expectHeld(`back-${volume}`, incremental, volume);
    const columns = await tidemark.cluster.kubectl(['-n', NAMESPACE, 'get', 'tmr', 'disks']);
    expect(columns).toMatch(/SIZE +PERCENT +RATE +SECONDS LEFT +REASON/);
    expect(columns).toMatch(/Succeeded +48\.0Mi +100 +.*Succeeded/);
    await jobsGone();
  });

  test('to a new VM makes one that can run beside the original', async () => {
    await restore('beside', { source: { backupName: 'full' }, target: { newVM: { name: 'db-2' } } });
    expect(await ended('beside')).toMatchObject({ phase: 'Succeeded', plan: { vmName: 'db-2' } });
    expect(await object('virtualmachine', 'db-2')).toMatchObject({
      metadata: { labels: { app: 'db' } },
      spec: {
        runStrategy: 'Halted',
        template: {
          spec: {
            volumes: [
              { name: 'root', persistentVolumeClaim: { claimName: 'db-2-root' } },
              { name: 'data', persistentVolumeClaim: { claimName: 'db-2-data' } },
            ],
          },
        },
      },
    });
    const { spec } = (await object('virtualmachine', 'db-2')) as {
      spec: { template: { spec: { domain: object } } };
    };
    expect(JSON.stringify(spec.template.spec.domain)).not.toContain(vm.uuid);
    for (const volume of ['root', 'data']) await expectHeld(`db-2-${volume}`, full, volume);
    await expectTaken(tidemark.cluster, NAMESPACE, 'db-2');
  });

  /** The VM has the instancetype and preference that the original took, in revisions of its own that go when it goes. */
  async function expectTaken({ kubectl }: ControlPlane, namespace: string, name: string): Promise<void> {
    const get = async (kind: string, of: string): Promise<unknown> =>
      JSON.parse(await kubectl(['-n', namespace, 'get', kind, of, '-o', 'json']));
    const { metadata, spec } = Taken.parse(await get('virtualmachine', name));
    expect([spec.instancetype.name, spec.preference.name]).toEqual(['large', 'linux']);
    for (const [{ revisionName }, { metadata: was, data }] of [
      [spec.instancetype, taken.large],
      [spec.preference, taken.linux],
    ] as const) {
      expect(revisionName).not.toBe(was.name);
      expect(await get('controllerrevision', revisionName)).toMatchObject({
        metadata: { labels: was.labels, ownerReferences: [{ kind: 'VirtualMachine', uid: metadata.uid }] },
        data,
      });
    }
  }

  test('as a dry run writes the plan and changes nothing', async () => {
    const before = await claims();
    await restore('rehearsal', { dryRun: true, target: { newVM: { name: 'db-3' } } });
    const status = await ended('rehearsal');
    expect(status.conditions?.[0]).toMatchObject({ type: 'Ready', status: 'True', reason: 'DryRun' });
    expect(status.plan?.claims.map(({ claimName }) => claimName)).toEqual(['db-3-root', 'db-3-data']);
    expect(status.plan).not.toHaveProperty('leftOut');
    expect(await claims()).toEqual(before);
    expect((await revisions()).filter((name) => name.includes('db-3'))).toEqual([]);
  });

  test.each([
    ['a VM of that name', { newVM: { name: 'db' } }, 'VMExists'],
    ['a claim of that name', { claims: { prefix: 'db-' } }, 'ClaimExists'],
    ['no VM to restore in place', { inPlace: { vmName: 'nobody' } }, 'VMNotFound'],
  ])('is refused before anything is touched when there is %s', async (_, target, reason) => {
    const name = `refused-${reason.toLowerCase()}`;
    if (reason === 'ClaimExists') await claimNamed('db-root');
    const before = await claims();
    await restore(name, { target });
    expect(await ended(name)).toMatchObject({ phase: 'Failed', failure: { reason } });
    expect(await claims()).toEqual(before);
  });

  async function claimNamed(name: string): Promise<void> {
    if ((await claims()).includes(name)) return;
    await tidemark.apply({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: NAMESPACE },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    });
  }

  test('that is deleted half-way leaves nothing behind', async () => {
    const before = await claims();
    await restore('given-up', { target: { claims: { prefix: 'half-' } } });
    await eventually('the plan', async () => (await read('given-up')).status?.plan);
    kubelet.hold(true);
    await eventually('the claims', async () => ((await claims()).includes('half-root') ? true : undefined));
    await tidemark.cluster.kubectl(['-n', NAMESPACE, 'delete', 'tmr', 'given-up', '--timeout=30s']);
    kubelet.hold(false);
    await eventually('nothing is left', async () =>
      (await claims()).join() === before.join() ? true : undefined,
    );
  });

  test('waits and says for what, when no node takes its pod', async () => {
    kubelet.hold(true);
    await restore('patient', { target: { claims: { prefix: 'patient-' } } });
    const waiting = await eventually('why it waits', async () =>
      (await read('patient')).status?.conditions?.find(
        ({ type, reason }) => type === 'Reconciling' && reason === 'PodPending',
      ),
    );
    expect(waiting.message).toContain('kubectl describe pod');
    kubelet.hold(false);
    expect(await ended('patient')).toMatchObject({ phase: 'Succeeded' });
  });

  test('whose pod is killed before it is done says so, and that it is tried again', async () => {
    const disk = join(kubelet.claimDirectory(NAMESPACE, 'struck-root'), 'disk.img');
    const killed = kubelet.killAsItWrites(disk);
    const target = { claims: { prefix: 'struck-' } };
    await restore('struck', { source: { backupName: 'incremental' }, volumes: ['root'], target });
    await killed;
    const again = await eventually('what it waits for', async () =>
      (await read('struck')).status?.conditions?.find(({ message }) => message.includes('tried again')),
    );
    expect(again.message).toContain('exit code 137');
  });

  test('fails in words when a claim is too small for its disk, and takes back what it made', async () => {
    const before = await claims();
    const small = kubelet.claimDirectory(NAMESPACE, 'small-root');
    await mkdir(small, { recursive: true });
    await run(['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small]);
    try {
      await restore('too-small', { volumes: ['root'], target: { claims: { prefix: 'small-' } } });
      const status = await ended('too-small');
      expect(status).toMatchObject({ phase: 'Failed', failure: { reason: 'TargetFull' } });
      expect(status.failure?.message).toContain('Volume root');
      await eventually('nothing is left', async () =>
        (await claims()).join() === before.join() ? true : undefined,
      );
    } finally {
      await run(['umount', small]);
    }
  });

  test('is refused before anything is touched when the quota has no room for its claims', async () => {
    await tidemark.apply({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'tight', namespace: NAMESPACE },
      spec: { hard: { 'requests.storage': '1Mi' } },
    });
    await restore('over-quota', { target: { newVM: { name: 'db-4' } } });
    const { phase, failure, plan } = await ended('over-quota');
    await tidemark.cluster.kubectl(['-n', NAMESPACE, 'delete', 'resourcequota', 'tight']);
    expect({ phase, reason: failure?.reason, plan }).toEqual({ phase: 'Failed', reason: 'Refused' });
    expect(failure?.message).toContain('exceeded quota: tight');
  });

  test('whose pod was killed is written anew by the next one, byte for byte', async () => {
    expect(await ended('struck')).toMatchObject({ phase: 'Succeeded' });
    await expectHeld('struck-root', incremental, 'root');
  });

  test('goes on where it was, however often the controller is killed', async () => {
    await restore('stubborn', { target: { newVM: { name: 'db-5' } } });
    const phases = new Set<string>();
    for (let life = 0; life < 40 && !phases.has('Succeeded'); life++) {
      // Each life lasts a little longer than the last, so that every step is somebody's last.
      await sleep(500 + 150 * life);
      phases.add((await read('stubborn')).status?.phase ?? 'Pending');
      await tidemark.controller.kill('SIGKILL');
      await tidemark.startController();
    }
    expect(await ended('stubborn')).toMatchObject({ phase: 'Succeeded' });
    for (const volume of ['root', 'data']) await expectHeld(`db-5-${volume}`, incremental, volume);
    await expectTaken(tidemark.cluster, NAMESPACE, 'db-5');
    // Those of the original, of the VM beside it, and of this one: none is left of what was only asked for.
    expect(await revisions()).toHaveLength(6);
    await jobsGone();
  });

  test('from NFS into a second, empty cluster and another namespace needs the repository, its administrator, and nothing else', async () => {
    await using elsewhere = await installTidemark({ repository: tidemark.repository });
    const { cluster, directory, programs } = elsewhere;
    const exported = 'nas.example.com:/exports/tidemark';
    const nfs = { [exported]: tidemark.repository };
    await using stack = new AsyncDisposableStack();
    const other = stack.use(await startKubelet({ cluster, nodeName: NODE, directory, programs, nfs }));
    stack.use(await serveVmWebhook(cluster));
    const namespace = 'revived';
    await cluster.kubectl(['create', 'namespace', namespace]);
    const path = full.backup.status?.plan?.path ?? '';
    const spec = {
      source: { repositoryPath: { repository: 'share', path } },
      target: { newVM: { name: 'db', identity: 'Keep' } },
      storageClassMap: { '*': STORAGE_CLASS },
      // Another cluster has other storage.
      ...{ accessModes: ['ReadWriteMany'], volumeMode: 'Filesystem' },
      verifyFirst: true,
    };
    const head = { apiVersion: 'backup.tidemark.dev/v1alpha1', kind: 'VMRestore' };
    const [server, sharePath] = exported.split(':');
    await elsewhere.apply({
      apiVersion: head.apiVersion,
      kind: 'VMBackupRepository',
      metadata: { name: 'share' },
      spec: { nfs: { server, path: sharePath }, allowedNamespaces: [NAMESPACE] },
    });
    await elsewhere.apply({ ...head, metadata: { name: 'disaster', namespace }, spec });
    const get = async (kind: string, name: string): Promise<unknown> =>
      JSON.parse(await cluster.kubectl(['-n', namespace, 'get', kind, name, '-o', 'json']));
    const status = async (): Promise<VMRestoreStatus | undefined> =>
      VMRestore.parse(await get('tmr', 'disaster')).status;
    const waitsFor = (wanted: string) =>
      eventually(wanted, async () => (await status())?.conditions?.find(({ reason }) => reason === wanted));
    const administrator = (change: object) =>
      cluster.kubectl(['patch', 'tmrepo', 'share', '--type=merge', '-p', JSON.stringify({ spec: change })]);
    await waitsFor('NamespaceNotAllowed');
    await administrator({ allowedNamespaces: [namespace] });
    const [clusterID = ''] = path.split('/');
    const grant = `{clusterID: ${clusterID}, from: ${NAMESPACE}, into: ${namespace}}`;
    expect((await waitsFor('RestoreNotGranted')).message).toContain(
      `must add ${grant} to spec.restoreGrants`,
    );
    await administrator({ restoreGrants: [{ clusterID, from: NAMESPACE, into: namespace }] });
    const over = await eventually('the end', async () => {
      const found = await status();
      return found?.completedAt === undefined ? undefined : found;
    });
    expect(over).toMatchObject({ phase: 'Succeeded', plan: { vmName: 'db' } });
    for (const volume of ['root', 'data']) {
      const image = join(other.claimDirectory(namespace, `db-${volume}`), 'disk.img');
      await run(['cmp', image, full.held.get(volume)?.file ?? '']);
      const { spec } = (await get('pvc', `db-${volume}`)) as { spec: object };
      expect(spec).toMatchObject({ accessModes: ['ReadWriteMany'], volumeMode: 'Filesystem' });
    }
    expect(JSON.stringify(await get('virtualmachine', 'db'))).toContain(vm.uuid);
    await expectTaken(cluster, namespace, 'db');
  });

  test('in place stops the VM, turns it to the restored disks, keeps the old ones, and starts it again', async () => {
    const overlay = vm.disks.find(({ kind }) => kind === 'cbt')?.overlay ?? '';
    await stateClaimAt(dirname(dirname(overlay)));
    expect(existsSync(overlay)).toBe(true);
    await restore('back', {
      source: { backupName: 'full' },
      target: { inPlace: { vmName: 'db', stopVM: true } },
    });
    await eventually('the wish to halt', async () => {
      const { spec } = (await object('virtualmachine', 'db')) as { spec: { runStrategy: string } };
      return spec.runStrategy === 'Halted' ? true : undefined;
    });
    await tidemark.kubevirt.stop(vm);
    const status = await ended('back');
    expect(status).toMatchObject({ phase: 'Succeeded', plan: { runStrategy: 'Always' } });
    const turned = (await object('virtualmachine', 'db')) as {
      metadata: { annotations: Record<string, string> };
      spec: {
        runStrategy: string;
        instancetype: object;
        template: { spec: { volumes: { name: string; persistentVolumeClaim: { claimName: string } }[] } };
      };
    };
    expect(turned.spec.runStrategy).toBe('Always');
    expect(turned.spec.instancetype).toEqual({ name: 'large', revisionName: taken.large.metadata.name });
    expect(turned.metadata.annotations['backup.tidemark.dev/restored-at']).toBeDefined();
    for (const { name, persistentVolumeClaim } of turned.spec.template.spec.volumes)
      await expectHeld(persistentVolumeClaim.claimName, full, name);
    const old = status.plan?.claims.map(({ replaces }) => replaces) ?? [];
    expect(await claims()).toEqual(expect.arrayContaining(old));
    expect(status.conditions?.[0]?.message).toContain('The disks of before are kept as claims');
    // It would lie over the restored disk, and hide what it marks as zeros.
    expect(existsSync(overlay)).toBe(false);

    await tidemark.kubevirt.start(vm, NODE);
    await backUpNow(tidemark, vm, 'after-restore');
    const next = await tidemark.ended('after-restore');
    expect(next.status).toMatchObject({ phase: 'Succeeded', plan: { type: 'Full', reason: 'VMRestored' } });
  });

  /** The claim in which KubeVirt keeps the overlays of a VM. */
  async function stateClaimAt(path: string): Promise<void> {
    const spec = { accessModes: ['ReadWriteOnce'], storageClassName: '' };
    const name = 'persistent-state-for-db-x1y2z';
    await tidemark.apply({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        ...spec,
        capacity: { storage: '10Mi' },
        hostPath: { path },
        claimRef: { namespace: NAMESPACE, name },
      },
    });
    await tidemark.apply({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: NAMESPACE, labels: { 'persistent-state-for': 'db' } },
      spec: { ...spec, volumeName: name, resources: { requests: { storage: '10Mi' } } },
    });
  }

  test('of a damaged chain fails with the file and the range, and takes back what it made', async () => {
    const before = await claims();
    const directory = join(tidemark.repository, full.backup.status?.plan?.path ?? '');
    const image = (await readdir(directory)).find((file) => file === 'root.qcow2') ?? '';
    await run([
      'dd',
      'if=/dev/zero',
      `of=${join(directory, image)}`,
      'bs=1',
      'seek=200000',
      'count=9',
      'conv=notrunc',
    ]);
    await restore('damaged', { target: { claims: { prefix: 'damaged-' } } });
    const status = await ended('damaged');
    expect(status).toMatchObject({ phase: 'Failed', failure: { reason: 'BackupDataDamaged' } });
    expect(status.failure?.message).toContain('root.qcow2');
    await eventually('nothing is left', async () =>
      (await claims()).join() === before.join() ? true : undefined,
    );
  });

  test('in place of a damaged chain gives the VM back its disks of today, and starts it again', async () => {
    const before = await claims();
    const { spec } = (await object('virtualmachine', 'db')) as { spec: object };
    await restore('back-in-vain', { target: { inPlace: { vmName: 'db', stopVM: true } } });
    await eventually('the wish to halt', async () => {
      const now = (await object('virtualmachine', 'db')) as { spec: { runStrategy: string } };
      return now.spec.runStrategy === 'Halted' ? true : undefined;
    });
    await tidemark.kubevirt.stop(vm);
    expect(await ended('back-in-vain')).toMatchObject({
      phase: 'Failed',
      failure: { reason: 'BackupDataDamaged' },
    });
    expect(await object('virtualmachine', 'db')).toMatchObject({ spec });
    await eventually('nothing is left', async () =>
      (await claims()).join() === before.join() ? true : undefined,
    );
  });
});
