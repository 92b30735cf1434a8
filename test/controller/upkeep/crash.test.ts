import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { namespaces } from '../../../src/crds/core.ts';
import { type VMBackup, vmBackups } from '../../../src/crds/vmbackup.ts';
import { vmBackupRepositories } from '../../../src/crds/vmbackuprepository.ts';
import { reconcileDeletion } from '../../../src/controller/deletion/reconcile.ts';
import { reconcileUpkeep } from '../../../src/controller/upkeep/reconcile.ts';
import {
  DATA_FINALIZER,
  DELETE_WITH_ANNOTATION,
  SYNC_ANNOTATION,
  VERIFY_ANNOTATION,
} from '../../../src/domain/labels.ts';
import { sha256 } from '../../../src/mover/repository/manifest-file.ts';
import { temporaryDirectory } from '../../mover/support/backup-rig.ts';
import { StoredChain } from '../../mover/support/stored-chain.ts';
import { SmallCluster, type Stored } from './small-cluster.ts';

/** The controller is killed at every write it makes, before and after its effect; the next one must come to the same end. */

const VM = 'c/shop/db-1';
const ALL = ['b000', 'b001', 'b002'];
const quiet = new AbortController().signal;
const options = { clusterId: 'c', image: 'tidemark', namespace: 'tidemark-system' };
/** More looks than either life needs. */
const LOOKS = 60;

interface End {
  readonly objects: readonly unknown[];
  readonly directories: readonly string[];
  /** What the repository knows to be damaged. */
  readonly damaged: readonly string[];
  /** Backups that the last listing found to have no object. */
  readonly alone: number | undefined;
  readonly writes: number;
}

type Prepare = (cluster: SmallCluster, chain: StoredChain) => void;

/** Lives a story to its end; the controller is killed once, at that write. */
async function live(prepare: Prepare, crash?: SmallCluster['crash']): Promise<End> {
  using directory = temporaryDirectory();
  const chain = new StoredChain(join(directory.path, VM));
  for (const cluster of [0, 1, 2]) await chain.add(1024 * 1024, new Map([[cluster, 1]]));
  const cluster = new SmallCluster(directory.path);
  cluster.put(namespaces, { metadata: { name: 'shop', uid: 'shop' } });
  cluster.put(vmBackupRepositories, repository());
  prepare(cluster, chain);
  cluster.crash = crash;
  let now = Date.parse('2026-11-23T18:01:00Z');
  for (let look = 0; look < LOOKS; look++) {
    now += 30_000;
    await lookOnce(cluster, now).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.startsWith('killed'))) throw error;
    });
  }
  return {
    objects: cluster.list(vmBackups).map(withoutVersion),
    damaged: damagedIn(cluster),
    alone: vmBackupRepositories.parse(cluster.list(vmBackupRepositories)[0]).status?.catalogue
      ?.dataWithoutObject,
    directories: readdirSync(join(directory.path, VM)).sort(),
    writes: cluster.writes,
  };
}

async function lookOnce({ kube, caches }: SmallCluster, now: number): Promise<void> {
  const clock = { now: () => now, after: () => () => {} };
  const recorder = { record: () => {}, settled: async () => {} };
  const tools = { kube, clock, recorder };
  const writer = { fieldManager: 'tidemark-controller', fields: ['conditions', 'phase'] } as const;
  for (const backup of caches.backups.list(({ metadata }) => metadata.deletionTimestamp !== undefined)) {
    await reconcileDeletion(caches, 'c', tools, backup, writer, quiet);
  }
  await reconcileUpkeep(caches, options, tools, 'nas', quiet);
}

function repository(): Stored {
  return {
    metadata: {
      name: 'nas',
      uid: 'nas-uid',
      creationTimestamp: '2026-11-23T18:00:00Z',
      annotations: { [SYNC_ANNOTATION]: 'now' },
    },
    spec: { local: { path: '/srv' }, allowedNamespaces: ['*'] },
    status: { conditions: [condition('Ready', 'True')] },
  };
}

function condition(type: string, status: string) {
  return { type, status, reason: type, message: '.', lastTransitionTime: '2026-11-23T18:00:00Z' };
}

/** A crash costs time. */
function withoutTimes(end: object): unknown {
  return JSON.parse(
    JSON.stringify(end, (name, value: unknown) => (name === 'completedAt' ? undefined : value)),
  );
}

function withoutVersion({ metadata, ...rest }: Stored): unknown {
  const { resourceVersion: _, ...others } = metadata;
  return { metadata: others, ...rest };
}

function damagedIn(cluster: SmallCluster): readonly string[] {
  const { status } = vmBackupRepositories.parse(cluster.list(vmBackupRepositories)[0]);
  return (status?.scrub?.damaged ?? []).map(({ path }) => path);
}

/** The manifest of the first names what no object can be called: someone wrote it who is no Tidemark. */
function hostileName(_: SmallCluster, chain: StoredChain): void {
  const path = join(chain.directories[0]!, 'manifest.json');
  const manifest = readFileSync(path, 'utf8').replace('"name": "b000"', '"name": "../B 000"');
  writeFileSync(path, manifest);
  writeFileSync(path.replace('.json', '.sha256'), `${sha256(manifest)}  manifest.json\n`);
}

/** The first of the chain is deleted, together with the whole chain. */
function wholeChain(cluster: SmallCluster): void {
  const [first] = putObjects(cluster);
  first!.metadata['deletionTimestamp'] = '2026-11-23T18:00:00Z';
  first!.metadata['annotations'] = { [DELETE_WITH_ANNOTATION]: 'Chain' };
  first!.metadata.finalizers = [DATA_FINALIZER];
  first!.spec!['deletionPolicy'] = 'Delete';
}

/** Someone asks for a verification of the last one, and a byte of the full is not what was written. */
function damagedFull(cluster: SmallCluster, chain: StoredChain): void {
  putObjects(cluster)[2]!.metadata['annotations'] = { [VERIFY_ANNOTATION]: 'now' };
  const image = readFileSync(chain.image(0));
  image.writeUInt8(image.readUInt8(image.length - 7) ^ 1, image.length - 7);
  writeFileSync(chain.image(0), image);
}

/** The three objects of the chain. */
function putObjects(cluster: SmallCluster): readonly Stored[] {
  return ['b000', 'b001', 'b002'].map((name, position) => {
    const isFirst = position === 0;
    const parentPath = isFirst ? undefined : `${VM}/b00${position - 1}`;
    const object: Stored = {
      metadata: {
        ...{ name, namespace: 'shop', uid: `uid-of-${name}`, creationTimestamp: '2026-11-23T10:00:00Z' },
      },
      spec: { vmName: 'db', repository: 'nas' },
      status: statusOf(name, position, parentPath),
    };
    cluster.put(vmBackups, object);
    return object;
  });
}

function statusOf(name: string, position: number, parentPath: string | undefined) {
  const type = position === 0 ? ('Full' as const) : ('Incremental' as const);
  const at = '2026-11-23T10:00:01Z';
  const disk = { volume: 'vda', type, reason: 'So' };
  return {
    chain: { id: 'chain', position },
    plan: {
      ...{ attempt: 1, vmUid: 'vm-uid', nodeName: 'n', type, reason: 'So', message: '.' },
      ...{ chain: { id: 'chain', position }, bitmap: `backup-${position}`, path: `${VM}/${name}` },
      disks: [{ ...disk, parentPath }],
    },
    execution: {
      attempt: 1,
      agent: 'n',
      startedAt: at,
      completedAt: at,
      disks: [{ ...disk, tracked: true }],
    },
  } satisfies Partial<VMBackup['status']>;
}

describe.each([
  ['import', () => {}, { objects: 3, directories: ALL, damaged: [], alone: 0 }],
  [
    'import beside what no object can be made of',
    hostileName,
    { objects: 2, directories: ALL, damaged: [], alone: 1 },
  ],
  ['deletion of a whole chain', wholeChain, { objects: 0, directories: [], damaged: [], alone: 0 }],
  ['verification', damagedFull, { objects: 3, directories: ALL, damaged: [`${VM}/b000`], alone: 0 }],
] as const)('%s', async (_, prepare, expected) => {
  const undisturbed = await live(prepare);

  test('comes to its end', () => {
    const { objects, directories, damaged, alone } = undisturbed;
    expect({ objects: objects.length, directories, damaged, alone }).toEqual(expected);
  });

  const points = Array.from({ length: undisturbed.writes }, (_, index) => index + 1);
  test.each(points.flatMap((at) => [[at, 'before'] as const, [at, 'after'] as const]))(
    'comes to the same end when the controller is killed at write %i, %s its effect',
    async (at, when) => {
      const { writes: _, ...end } = await live(prepare, { at, when });
      expect(withoutTimes(end)).toEqual(withoutTimes({ ...undisturbed, writes: undefined }));
    },
  );
});
