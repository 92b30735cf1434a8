import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VMBackup } from '../../src/crds/vmbackup.ts';
import { type Kubelet, startKubelet } from '../support/kubelet/kubelet.ts';
import { type Content, MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { backUpNow } from '../support/tidemark/points.ts';
import { restoresExactly, verifyChain } from '../support/tidemark/restore.ts';

/** One VM that runs and stops: a tracked disk and a raw one beside it. Each test goes on where the last one ended. */
describe('a VM that does not run', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let kubelet: Kubelet;
  let vm: StandInVm;

  beforeAll(async () => {
    tidemark = resources.use(await installTidemark());
    const { cluster, directory, programs, podsDir } = tidemark;
    kubelet = resources.use(await startKubelet({ cluster, nodeName: NODE, directory, programs }));
    const disks = [
      { volume: 'root', kind: 'cbt', size: 32 * MiB },
      { volume: 'data', kind: 'raw', size: 8 * MiB },
    ] as const;
    vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
    await tidemark.kubevirt.define(vm);
    await defineState();
    await tidemark.kubevirt.start(vm, NODE);
    for (const { volume } of vm.disks) await vm.write(volume, { pattern: 0x41, offset: 0, length: 4 * MiB });
  });
  afterAll(() => resources.disposeAsync());

  /** The claim on which KubeVirt keeps the overlays. */
  async function defineState(): Promise<void> {
    const name = 'persistent-state-for-db-x7k2p';
    const common = { accessModes: ['ReadWriteOnce'], storageClassName: '' };
    const hostPath = { path: join(vm.directory, 'state') };
    const volume = { ...common, capacity: { storage: '10Mi' }, hostPath };
    await tidemark.apply({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec: volume });
    const labels = { 'persistent-state-for': 'db' };
    const ownerReferences = [await tidemark.kubevirt.asOwner(vm)];
    await tidemark.apply({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: NAMESPACE, labels, ownerReferences },
      spec: { ...common, volumeName: name, resources: { requests: { storage: '10Mi' } } },
    });
  }

  async function holds(): Promise<ReadonlyMap<string, Content>> {
    const held = new Map<string, Content>();
    for (const { volume } of vm.disks) held.set(volume, await vm.holds(volume));
    return held;
  }

  async function take(name: string): Promise<VMBackup> {
    const held = await holds();
    await backUpNow(tidemark, vm, name, { backoffLimit: 0 });
    const backup = await tidemark.ended(name, 60);
    expect(backup.status?.conditions?.[0]?.message ?? '').toMatch(/^(Full|Incremental)/);
    const point = { backup, held };
    expect(await restoresExactly(tidemark, point)).toEqual(
      new Map([...held.keys()].map((volume) => [volume, true])),
    );
    await verifyChain(tidemark, point);
    return backup;
  }

  const diskOf = ({ status }: VMBackup, volume: string) =>
    status?.execution?.disks?.find((disk) => disk.volume === volume);

  test('has its chain go on: what changed while it ran, by the bitmap that it saved', async () => {
    await take('running');
    await vm.write('root', { pattern: 0x42, offset: MiB, length: MiB });
    await tidemark.kubevirt.stop(vm);
    const stopped = await take('stopped');
    expect(stopped.status).toMatchObject({
      type: 'Incremental',
      chain: { position: 1 },
      plan: { nodeName: '', job: expect.stringMatching(/^stopped-[0-9a-f]{8}-1$/) },
    });
    expect(diskOf(stopped, 'root')).toMatchObject({ type: 'Incremental', tracked: true });
    expect(diskOf(stopped, 'data')).toMatchObject({ type: 'Full', reason: 'DiskNotTracked' });
    const { gid } = await stat(join(tidemark.repository, stopped.status?.plan?.path ?? ''));
    expect(gid, 'of the group that agents and sweeps share').toBe(0);
  });

  test('and is unchanged, gets an empty incremental', async () => {
    const unchanged = await take('unchanged');
    expect(unchanged.status?.chain?.position).toBe(2);
    expect(diskOf(unchanged, 'root')).toMatchObject({ type: 'Incremental', dataBytes: 0, zeroBytes: 0 });
  });

  test('and whose backup is deleted while its Job waits, is rid of both within seconds', async () => {
    kubelet.hold(true);
    await backUpNow(tidemark, vm, 'unwanted', { deletionPolicy: 'Delete' });
    await eventually('the Job', async () => (await jobs()) || undefined);
    await eventually('the finalizer', async () => (await tidemark.backup('unwanted')).metadata.finalizers);
    await tidemark.cluster.kubectl(['-n', NAMESPACE, 'delete', 'tmb', 'unwanted', '--wait=false']);
    await eventually('the Job is gone', async () => ((await jobs()) === '' ? true : undefined));
    // A sweep looks whether there is data of it: that has a Job, too.
    kubelet.hold(false);
    await tidemark.cluster.kubectl([
      ...['-n', NAMESPACE, 'wait', '--for=delete', 'tmb/unwanted', '--timeout=60s'],
    ]);
  });

  test('and runs again, has an incremental by the bitmap that was begun while it was stopped', async () => {
    await tidemark.kubevirt.start(vm, NODE);
    await vm.write('root', { pattern: 0x43, offset: 2 * MiB, length: MiB });
    const running = await take('running-again');
    expect(running.status).toMatchObject({ type: 'Incremental', chain: { position: 3 } });
    expect(diskOf(running, 'root')).toMatchObject({ type: 'Incremental', dataBytes: MiB });
  });

  test('and starts before its Job begins, is backed up by the agent, and nothing stands in its way', async () => {
    await tidemark.kubevirt.stop(vm);
    kubelet.hold(true);
    await backUpNow(tidemark, vm, 'overtaken');
    await eventually('the Job', async () => (await jobs()) || undefined);
    await tidemark.kubevirt.start(vm, NODE);
    const backup = await tidemark.ended('overtaken', 120);
    kubelet.hold(false);
    expect(backup.status).toMatchObject({ phase: 'Succeeded', plan: { nodeName: NODE, failedAttempts: 0 } });
    await eventually('the Job is gone', async () => ((await jobs()) === '' ? true : undefined));
  });

  test('and starts in the middle of the copy, has its disks at once: the Job gives way', async () => {
    await tidemark.kubevirt.stop(vm);
    await limitBandwidth('1Mi');
    await backUpNow(tidemark, vm, 'in-the-way', { backoffLimit: 0 });
    await eventually('the copy is under way', async () => {
      const { progress } = (await tidemark.backup('in-the-way')).status?.execution ?? {};
      return (progress?.doneBytes ?? 0) > 0 ? true : undefined;
    });
    const asked = Date.now();
    const gone = eventually('the Job has ended', async () =>
      (await pods()) === '' ? Date.now() : undefined,
    );
    // QEMU would not start on a disk that the Job still holds.
    await tidemark.kubevirt.start(vm, NODE);
    const gaveWayAfterMs = (await gone) - asked;
    console.log(`the Job gave way ${gaveWayAfterMs} ms after the VM was started`);
    expect(gaveWayAfterMs).toBeLessThan(15_000);
    await limitBandwidth(null);
    const { status } = await tidemark.ended('in-the-way', 120);
    expect(status).toMatchObject({ phase: 'Succeeded', plan: { nodeName: NODE, failedAttempts: 0 } });
  });

  const limitBandwidth = (bandwidthLimit: string | null) =>
    tidemark.cluster.kubectl([
      ...['patch', 'tmrepo', 'nas', '--type=merge', '-p', JSON.stringify({ spec: { bandwidthLimit } })],
    ]);
  /** Of Jobs: the launcher's is not one of them. */
  const pods = () =>
    tidemark.cluster.kubectl([
      ...['-n', NAMESPACE, 'get', 'pods', '-l', 'app.kubernetes.io/component=mover', '-o', 'name'],
    ]);

  test('after QEMU was killed, gets a full of the disk whose bitmap went with it, and says so', async () => {
    await vm.write('root', { pattern: 0x44, offset: 3 * MiB, length: MiB });
    await vm.flush('root');
    await vm.kill9();
    await tidemark.kubevirt.stop(vm).catch(() => undefined);
    const crashed = await take('crashed');
    expect(crashed.status).toMatchObject({ type: 'Full', typeReason: 'BitmapMissing' });
  });

  const jobs = () => tidemark.cluster.kubectl(['-n', NAMESPACE, 'get', 'jobs', '-o', 'name']);
});
