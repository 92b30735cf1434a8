import { mkdir, open, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { VMBackup } from '../../src/crds/vmbackup.ts';
import type { ListedBackup } from '../../src/crds/vmbackuplisting.ts';
import { VMBackupRepository } from '../../src/crds/vmbackuprepository.ts';
import { VMRestore } from '../../src/crds/vmrestore.ts';
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
import { eventually } from '../support/tidemark/kubevirt.ts';
import { backUpNow, type Point, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';

/** One VM, and what becomes of its backups' data; each test goes on where the last one ended. */
const Names = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

describe('a repository that is looked after', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let kubelet: Kubelet;
  let vm: StandInVm;
  let last: Point;

  beforeAll(async () => {
    tidemark = resources.use(await installTidemark());
    const { cluster, directory, programs, podsDir } = tidemark;
    kubelet = resources.use(await startKubelet({ cluster, nodeName: NODE, directory, programs }));
    const disks = [{ volume: 'root', kind: 'cbt', size: 16 * MiB }] as const;
    vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
    await vm.write('root', { pattern: 0x41, offset: 0, length: 4 * MiB });
  });
  afterAll(() => resources.disposeAsync());

  const kubectl = (...args: readonly string[]) => tidemark.cluster.kubectl(['-n', NAMESPACE, ...args]);
  const pathOf = ({ backup }: Point) => backup.status?.plan?.path ?? '';
  const take = async (name: string, spec: object = {}) => {
    await vm.write('root', { pattern: 0x50, offset: 5 * MiB, length: MiB });
    return await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, name, spec));
  };
  /** The directories of the VM's backups, and whatever else lies beside them. */
  const stored = async () => (await readdir(dirname(join(tidemark.repository, pathOf(last))))).sort();
  const idOf = (point: Point) => pathOf(point).split('/').at(-1) ?? '';
  /** Every block of it and of all it stands on is what was written, qemu-img finds nothing wrong, and it restores to what the disk was. */
  const isWhole = async (point: Point) => {
    const directory = join(tidemark.repository, pathOf(point));
    await run([...tidemark.mover, 'verify', directory, '--chain']);
    await run(['qemu-img', 'check', join(directory, 'root.qcow2')]);
    expect(await restoresExactly(tidemark, point)).toEqual(new Map([['root', true]]));
  };
  const names = async () =>
    Names.parse(await tidemark.cluster.get(apiPath('vmbackups'))).items.map(({ metadata }) => metadata.name);
  const gone = (...wanted: readonly string[]) =>
    eventually(
      `${wanted.join(', ')} to go`,
      async () => ((await names()).some((name) => wanted.includes(name)) ? undefined : true),
      60,
    );
  const repository = async () =>
    VMBackupRepository.parse(
      await tidemark.cluster.get('/apis/backup.tidemark.dev/v1alpha1/vmbackuprepositories/nas'),
    );
  /** Reasons of the warnings about an object. */
  const warnings = async (name: string) =>
    (
      await tidemark.cluster.kubectl([
        ...['get', 'events.events.k8s.io', '-A', '--field-selector', `regarding.name=${name},type=Warning`],
        ...['-o', 'jsonpath={.items[*].reason}'],
      ])
    ).split(' ');
  const listed = (value: string) =>
    eventually(
      `the listing ${value}`,
      async () => {
        const { catalogue } = (await repository()).status ?? {};
        return catalogue?.trigger === value ? catalogue : undefined;
      },
      60,
    );
  const policyOf = (name: string, deletionPolicy: string) => [
    ...['patch', 'tmb', name, '--type=merge', '-p', JSON.stringify({ spec: { deletionPolicy } })],
  ];
  /** Waits until the deletion of a backup waits for this reason; resolves to its words. */
  const waitingFor = (name: string, reason: string) =>
    eventually(`${name} to wait: ${reason}`, async () => {
      const { conditions } = (await tidemark.backup(name)).status ?? {};
      return conditions?.find((each) => each.type === 'Reconciling' && each.reason === reason)?.message;
    });
  const ask = (annotation: string, value: string) =>
    tidemark.cluster.kubectl([
      'annotate',
      '--overwrite',
      'tmrepo',
      'nas',
      `backup.tidemark.dev/${annotation}=${value}`,
    ]);

  test('what others stand on waits as a tombstone, and goes with them, leaf first', async () => {
    const base = await take('base');
    const middle = await take('middle', { deletionPolicy: 'Delete' });
    last = await take('leaf', { deletionPolicy: 'Delete' });
    await kubectl('delete', 'tmb', 'middle', '--wait=false');
    const waiting = await eventually('the tombstone to say what it waits for', async () => {
      const { status } = await tidemark.backup('middle');
      return status?.phase === 'Deleting' ? status : undefined;
    });
    expect(waiting.conditions?.find(({ type }) => type === 'Reconciling')).toMatchObject({
      reason: 'HasDescendants',
      message: expect.stringContaining('leaf stands on it'),
    });
    expect(await restoresExactly(tidemark, last)).toEqual(new Map([['root', true]]));
    await kubectl('delete', 'tmb', 'leaf', '--wait=false');
    await gone('middle', 'leaf');
    expect(await stored()).toEqual([idOf(base)]);
    expect(await restoresExactly(tidemark, base)).toEqual(new Map([['root', true]]));
    expect(idOf(middle)).not.toBe(idOf(base));
    last = base;
  });

  /** What `kubectl tidemark repo backups` says, as somebody of this namespace. */
  const listedIn = async (namespace: string, ...flags: readonly string[]) => {
    const asked = [...tidemark.cli, '-n', namespace, 'repo', 'backups', 'nas', '-o', 'json', ...flags];
    return JSON.parse((await run(asked)).stdout) as { readonly backups: readonly ListedBackup[] };
  };

  test('what has no object is listed to its namespace and to no other, and restored by its path in one command', async () => {
    await kubectl('delete', 'tmb', 'base');
    expect(await stored()).toEqual([idOf(last)]);
    const [found, ...more] = (await listedIn(NAMESPACE)).backups;
    expect(more).toEqual([]);
    expect(found).toMatchObject({ path: pathOf(last), vmName: 'db', type: 'Full', chain: { position: 0 } });
    expect(found).not.toHaveProperty('backupName');
    await expect(listedIn('default')).rejects.toThrow('does not serve namespace');
    const allow = JSON.stringify({ spec: { allowedNamespaces: [NAMESPACE, 'default'] } });
    await tidemark.cluster.kubectl(['patch', 'tmrepo', 'nas', '--type=merge', '-p', allow]);
    expect((await listedIn('default')).backups).toEqual([]);
    expect((await listedIn('tidemark-system', '--vm', 'db')).backups).toEqual([found]);
    const restore = ['restore', '--from', `nas:${found?.path}`, '--disks', '--prefix', 'by-path-', '--wait'];
    await run([...tidemark.cli, '-n', NAMESPACE, ...restore, '--storage-class', STORAGE_CLASS]);
    const disk = join(kubelet.claimDirectory(NAMESPACE, 'by-path-root'), 'disk.img');
    await run(['cmp', disk, last.held.get('root')?.file ?? '']);
    expect(await tidemark.cluster.kubectl(['get', 'tmbl', '-A', '-o', 'name'])).toBe('');
  });

  test('an object that went comes back when it is asked for', async () => {
    await ask('sync', 'one');
    const imported = await eventually(
      'the backup to be imported',
      async () => {
        const found = await tidemark.backup('base').catch(() => undefined);
        return found?.status?.phase === 'Succeeded' ? found : undefined;
      },
      60,
    );
    expect(imported.spec.imported).toMatchObject({ path: pathOf(last), uid: last.backup.metadata.uid });
    expect(await restoresExactly(tidemark, { ...last, backup: imported })).toEqual(new Map([['root', true]]));
    expect((await listedIn(NAMESPACE)).backups).toMatchObject([{ backupName: 'base', imported: true }]);
    const next = await take('after-import');
    expect(next.backup.status).toMatchObject({ type: 'Full', typeReason: 'ParentImported' });
    last = next;
  });

  test('the scrub finds a flipped bit, says so, and the next backup is a full', async () => {
    const image = join(tidemark.repository, pathOf(last), 'root.qcow2');
    await using file = await open(image, 'r+');
    const { buffer } = await file.read({ buffer: Buffer.alloc(1), position: 65_536 + 99 });
    await file.write(Buffer.from([buffer[0]! ^ 4]), 0, 1, 65_536 + 99);
    await ask('scrub', 'one');
    const found = await eventually(
      'the damage to be found',
      async () => {
        const { status } = await repository();
        return status?.conditions?.find(
          ({ type }) => type === 'DataHealthy' && status.scrub?.trigger === 'one',
        );
      },
      60,
    );
    expect(found).toMatchObject({ status: 'False', reason: 'DataDamaged' });
    expect((await repository()).status?.scrub).toMatchObject({
      damagedCount: 1,
      damaged: [{ path: pathOf(last), volume: 'root', reason: 'BackupDataDamaged' }],
    });
    const verify = run([...tidemark.cli, '-n', NAMESPACE, 'verify', 'after-import']);
    await expect(verify).rejects.toThrow('ended with 1');
    expect((await tidemark.backup('after-import')).status?.verification).toMatchObject({
      result: 'Damaged',
      message: expect.stringContaining('are not what was written'),
    });
    expect(await warnings('after-import')).toEqual(
      expect.arrayContaining(['DataDamaged', 'BackupDataDamaged']),
    );
    expect(await warnings('nas')).toContain('DataDamaged');
    const port = /"healthPort":(\d+)/.exec(await tidemark.controller.log())?.[1];
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toContain('tidemark_repository_damaged_backups{repository="nas"} 1\n');
    const next = await take('after-damage');
    expect(next.backup.status).toMatchObject({ type: 'Full', typeReason: 'ParentDataDamaged' });
    expect(await restoresExactly(tidemark, next)).toEqual(new Map([['root', true]]));
    const proven = await run([...tidemark.cli, '-n', NAMESPACE, 'verify', 'after-damage']);
    expect(proven.stdout).toMatch(/^Good: Every byte of its data is what was written: \S+ read\.\n$/);
    last = next;
  });

  test('retention removes the data of what no rule keeps, and only that', async () => {
    const before = await stored();
    await tidemark.apply({
      apiVersion: 'backup.tidemark.dev/v1alpha1',
      kind: 'VMBackupSchedule',
      metadata: { name: 'often', namespace: NAMESPACE },
      spec: {
        schedule: '0 3 1 1 *',
        vmNames: ['db'],
        template: { repository: 'nas', fullEvery: 1 },
        retention: { keepLast: 1 },
      },
    });
    const runs: Point[] = [];
    for (const token of ['r1', 'r2', 'r3']) {
      const manual = JSON.stringify({ spec: { trigger: { manual: token } } });
      const seen = new Set(await names());
      await vm.write('root', { pattern: 0x60, offset: 6 * MiB, length: MiB });
      runs.push(
        await takePoint(tidemark, vm, async () => {
          await kubectl('patch', 'tmbs', 'often', '--type=merge', '-p', manual);
          return await eventually(`the run ${token}`, async () =>
            (await names()).find((name) => !seen.has(name)),
          );
        }),
      );
    }
    last = runs.at(-1)!;
    await gone(...runs.slice(0, 2).map(({ backup }) => backup.metadata.name));
    expect(await stored()).toEqual([...before, idOf(last)].sort());
    expect(await restoresExactly(tidemark, last)).toEqual(new Map([['root', true]]));
    const status = await eventually('the preview', async () => {
      const found = (await tidemark.cluster.get(`${apiPath('vmbackupschedules')}/often`)) as {
        status?: { retention?: { removable: number } };
      };
      return found.status?.retention?.removable === 0 ? found.status.retention : undefined;
    });
    expect(status).toMatchObject({ reason: 'Applied', kept: 1, carriers: 0 });
  });

  test('what follows goes by an explicit wish, and what it stood on is whole; and so does the whole chain, unless one is on hold', async () => {
    const before = await stored();
    const begin = await take('chain-0', { type: 'Full', deletionPolicy: 'Delete' });
    const middle = await take('chain-1', { hold: true });
    await take('chain-2', { deletionPolicy: 'Delete' });
    await take('chain-3');
    expect(await stored()).toHaveLength(before.length + 4);
    await kubectl('annotate', 'tmb', 'chain-2', 'backup.tidemark.dev/delete-with=Following');
    await kubectl('delete', 'tmb', 'chain-2', '--wait=false');
    await gone('chain-2', 'chain-3');
    expect(await stored()).toEqual([...before, idOf(begin), idOf(middle)].sort());
    await isWhole(middle);
    await kubectl('annotate', 'tmb', 'chain-0', 'backup.tidemark.dev/delete-with=Chain');
    await kubectl('delete', 'tmb', 'chain-0', '--wait=false');
    const waits = await waitingFor('chain-0', 'Held');
    expect(waits).toContain('chain-1');
    expect(await stored()).toHaveLength(before.length + 2);
    await kubectl('patch', 'tmb', 'chain-1', '--type=merge', '-p', '{"spec":{"hold":false}}');
    await gone('chain-0', 'chain-1');
    expect(await stored()).toEqual(before);
    await isWhole(last);
    last = await take('after-chain', { type: 'Full' });
  });

  test('while the repository is away an object waits, says why, and can be let go by hand', async () => {
    const before = await stored();
    await kubectl(...policyOf('after-chain', 'Delete'));
    await rename(tidemark.repository, `${tidemark.repository}.away`);
    await tidemark.cluster.kubectl(['wait', '--for=condition=Ready=false', 'tmrepo/nas', '--timeout=60s']);
    await kubectl('delete', 'tmb', 'after-chain', '--wait=false');
    expect(await waitingFor('after-chain', 'RepositoryNotReady')).toContain('set deletionPolicy to Retain');
    await kubectl(...policyOf('after-chain', 'Retain'));
    await gone('after-chain');
    await rm(tidemark.repository, { recursive: true, force: true });
    await rename(`${tidemark.repository}.away`, tidemark.repository);
    await tidemark.cluster.kubectl(['wait', '--for=condition=Ready', 'tmrepo/nas', '--timeout=60s']);
    expect(await stored()).toEqual(before);
    expect(await restoresExactly(tidemark, last)).toEqual(new Map([['root', true]]));
  });

  test('drift is shown, and what dead attempts left behind is collected when it is old', async () => {
    const directory = dirname(join(tidemark.repository, pathOf(last)));
    const lost = (await stored()).find((id) => id !== idOf(last)) ?? '';
    await rename(join(directory, lost), join(tidemark.directory, 'lost'));
    await mkdir(join(directory, 'broken'));
    await writeFile(join(directory, 'broken/manifest.json'), '{');
    const [old, young] = [
      '.incoming-20200101T000000Z-aaaaaaaa-1.0000aaaa',
      '.incoming-20200101T000000Z-aaaaaaaa-2.0000bbbb',
    ];
    for (const name of [old, young]) await mkdir(join(directory, name));
    await utimes(join(directory, old), 1_577_836_800, 1_577_836_800);
    await ask('sync', 'drift');
    expect(await listed('drift')).toMatchObject({
      objectsWithoutData: 1,
      unreadable: 1,
      unreadableExamples: [expect.stringMatching(/\/broken$/)],
    });
    await rm(join(directory, 'broken'), { recursive: true });
    await rename(join(tidemark.directory, 'lost'), join(directory, lost));
    const dayBefore = new Date(Date.now() - 90_000_000).toISOString();
    const longAgo = JSON.stringify({ status: { upkeep: { leftoversAt: dayBefore } } });
    await tidemark.cluster.kubectl([
      'patch',
      'tmrepo',
      'nas',
      '--subresource=status',
      '--type=merge',
      '-p',
      longAgo,
    ]);
    await eventually(
      'the old one to go',
      async () => ((await stored()).includes(old) ? undefined : true),
      90,
    );
    expect(await stored()).toContain(young);
    await rm(join(directory, young), { recursive: true });
  });

  test('a deleted namespace takes no data along, and its backups come back and can be restored', async () => {
    const before = await stored();
    await kubectl(...policyOf('after-damage', 'Delete'));
    await eventually(
      'the finalizer',
      async () => (await tidemark.backup('after-damage')).metadata.finalizers,
    );
    // There is no kubelet that would end its pod.
    await tidemark.kubevirt.stop(vm);
    await tidemark.cluster.kubectl(['delete', 'namespace', NAMESPACE, '--timeout=60s']);
    expect(await stored()).toEqual(before);
    await tidemark.cluster.kubectl(['create', 'namespace', NAMESPACE]);
    await ask('sync', 'two');
    const { name } = last.backup.metadata;
    await eventually('the imports', async () => ((await names()).includes(name) ? true : undefined), 60);
    const list = JSON.parse(await kubectl('get', 'tmb', '-o', 'json')) as { items: unknown[] };
    const back = list.items.map((item) => VMBackup.parse(item).spec.imported?.path.split('/').at(-1) ?? '');
    expect(back.sort()).toEqual(before);
    await tidemark.apply({
      apiVersion: 'backup.tidemark.dev/v1alpha1',
      kind: 'VMRestore',
      metadata: { name: 'from-import', namespace: NAMESPACE },
      spec: {
        source: { backupName: name },
        target: { claims: { prefix: 'back-' } },
        storageClassMap: { '*': STORAGE_CLASS },
      },
    });
    await eventually(
      'the restore from the imported backup',
      async () => {
        const { status } = VMRestore.parse(
          await tidemark.cluster.get(`${apiPath('vmrestores')}/from-import`),
        );
        return status?.completedAt;
      },
      60,
    );
    const disk = join(kubelet.claimDirectory(NAMESPACE, 'back-root'), 'disk.img');
    await run(['cmp', disk, last.held.get('root')?.file ?? '']);
  });

  test('a new cluster that has only the repository gets its backups back, read-only, and restores them', async () => {
    const before = await stored();
    const path = pathOf(last);
    const { name } = last.backup.metadata;
    await using other = await installTidemark({ repository: tidemark.repository });
    const { cluster, directory, programs } = other;
    await using nodes = await startKubelet({ cluster, nodeName: NODE, directory, programs });
    const grants = [{ clusterID: '*', from: NAMESPACE, into: NAMESPACE }];
    const patch = { spec: { catalogue: { clusters: ['*'] }, restoreGrants: grants } };
    await cluster.kubectl(['patch', 'tmrepo', 'nas', '--type=merge', '-p', JSON.stringify(patch)]);
    const { stdout } = await run([...other.cli, 'repo', 'import', 'nas']);
    // None if the first listing, which nobody had asked for, saw the patch and made them already.
    expect(stdout).toMatch(
      new RegExp(`^nas: ${before.length} backups, .*; (0|${before.length}) imported now\n`),
    );
    const found = await eventually(
      'the backups to reappear',
      async () => {
        const backup = await other.backup(name).catch(() => undefined);
        return backup?.status?.phase === 'Succeeded' ? backup : undefined;
      },
      60,
    );
    expect(found.spec.imported).toMatchObject({ cluster: path.split('/')[0], path });
    await other.apply({
      apiVersion: 'backup.tidemark.dev/v1alpha1',
      kind: 'VMRestore',
      metadata: { name: 'after-the-fire', namespace: NAMESPACE },
      spec: {
        source: { backupName: name },
        target: { claims: { prefix: 'new-' } },
        storageClassMap: { '*': STORAGE_CLASS },
      },
    });
    const onOther = (...args: readonly string[]) => cluster.kubectl(['-n', NAMESPACE, ...args]);
    await onOther('wait', '--for=condition=Ready', 'tmr/after-the-fire', '--timeout=60s');
    const disk = join(nodes.claimDirectory(NAMESPACE, 'new-root'), 'disk.img');
    await run(['cmp', disk, last.held.get('root')?.file ?? '']);
    await onOther(...policyOf(name, 'Delete'));
    await onOther('delete', 'tmb', name, '--timeout=30s');
    expect(await stored()).toEqual(before);
  });
});
