import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { BackupJobInput } from '../../src/domain/mover-job.ts';
import { Aborted } from '../../src/mover/errors.ts';
import { decodeHeader, encodeHeader } from '../../src/mover/qcow2/header.ts';
import { inspectBackup } from '../../src/mover/repository/inspect.ts';
import { readManifest } from '../../src/mover/repository/manifest-file.ts';
import { backup, failureOf, jobFor, quiet, temporaryDirectory } from './support/backup-rig.ts';
import { simpleReply } from './support/fake-nbd-messages.ts';
import { type FakeDisk, type FakeServer, serveFake } from './support/fake-nbd-server.ts';

const SIZE = 512 * 1024;
const content = randomBytes(SIZE);
const dirty = { 'qemu:dirty-bitmap:b': [{ offset: 0, length: SIZE, flags: 1 }] };
let root: string;
let server: FakeServer;

async function serve(disk: Partial<FakeDisk> = {}): Promise<FakeServer> {
  const started = await serveFake({ content, contexts: dirty, ...disk });
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

beforeEach(async () => {
  const directory = temporaryDirectory();
  root = directory.path;
  onTestFinished(() => directory[Symbol.dispose]());
  server = await serve();
});

const full = (from = server) => ({ name: 'vda', type: 'Full', source: from.address.uri }) as const;
const incremental = (parentId: string, from = server, bitmap = 'b') =>
  ({
    name: 'vda',
    type: 'Incremental',
    source: from.address.uri,
    bitmap,
    parent: join(root, 'c/ns/vm-1', parentId),
  }) as const;
const fullJob = (id = 'b0', overrides: Partial<BackupJobInput> = {}): BackupJobInput =>
  jobFor(root, id, [full()], overrides);
const vmDirectory = (): string => join(root, 'c/ns/vm-1');

/** The honest answer to GO, with 8 PiB for a size. */
function huge(honest: Buffer): Buffer {
  const lie = Buffer.from(honest);
  lie.writeBigUInt64BE(1n << 53n, 22);
  lie.writeUInt8(0x1f, 23);
  return lie;
}

describe('a backup', () => {
  test('appears whole, with manifest, sums and files, and leaves nothing else', async () => {
    const result = await backup(fullJob('b0', { files: [{ name: 'domain.xml', content: '<domain/>' }] }));
    expect(result).toMatchObject({
      alreadyCommitted: false,
      volumes: [{ name: 'vda', dataBytes: SIZE, zeroBytes: 0, virtualSizeBytes: SIZE }],
    });
    expect(readdirSync(vmDirectory())).toEqual(['b0']);
    expect(readdirSync(result.directory).sort()).toEqual([
      'domain.xml',
      'manifest.json',
      'manifest.sha256',
      'vda.qcow2',
      'vda.sums',
    ]);
    expect(await readManifest(result.directory)).toMatchObject({
      backup: { uid: 'uid-of-b0' },
      attempt: 1,
      files: [{ name: 'domain.xml', bytes: 9 }],
    });
  });

  test('marks the repository once, and never again', async () => {
    await backup(fullJob('b0', { repositoryId: 'first' }));
    await backup(fullJob('b1'));
    expect(JSON.parse(readFileSync(join(root, 'tidemark.json'), 'utf8'))).toEqual({
      formatVersion: 1,
      repositoryId: 'first',
    });
    expect(await failureOf(backup(fullJob('b2', { repositoryId: 'second' })))).toMatchObject({
      reason: 'RepositoryMismatch',
      exitCode: 4,
    });
    expect(readdirSync(root).sort()).toEqual(['c', 'tidemark.json']);
  });

  test('that is there already is found, and nothing is read', async () => {
    await backup(fullJob());
    const asked = server.requests.length;
    expect(await backup(fullJob('b0', { attempt: 2 }))).toMatchObject({
      alreadyCommitted: true,
      volumes: [{ name: 'vda' }],
    });
    expect(server.requests.length).toBe(asked);
  });

  test('never writes over another that bears its name', async () => {
    await backup(fullJob());
    const job = fullJob();
    const other = { ...job, manifest: { ...job.manifest, backup: { ...job.manifest.backup, uid: 'other' } } };
    expect(await failureOf(backup(other))).toMatchObject({ reason: 'TargetExists', exitCode: 4 });
  });

  test('never writes over a directory that is no backup', async () => {
    mkdirSync(join(vmDirectory(), 'b0'), { recursive: true });
    expect((await failureOf(backup(fullJob()))).reason).toBe('TargetExists');
    expect(existsSync(join(vmDirectory(), 'b0'))).toBe(true);
  });

  test('clears away what the same attempt left before, and leaves the others of it alone', async () => {
    for (const name of ['.incoming-b0-1', '.incoming-b0-1.00000000', '.incoming-b0-2', '.incoming-b1-1']) {
      mkdirSync(join(vmDirectory(), name), { recursive: true });
      writeFileSync(join(vmDirectory(), name, 'vda.qcow2'), 'half');
    }
    await backup(fullJob());
    expect(readdirSync(vmDirectory()).sort()).toEqual(['.incoming-b0-2', '.incoming-b1-1', 'b0']);
  });

  test('of several volumes has one manifest', async () => {
    const volumes = [full(), { ...full(), name: 'data' }];
    const result = await backup(jobFor(root, 'b0', volumes));
    expect(result.volumes.map(({ name }) => name)).toEqual(['vda', 'data']);
    expect((await readManifest(result.directory)).volumes.map(({ image }) => image.file)).toEqual([
      'vda.qcow2',
      'data.qcow2',
    ]);
  });
});

describe('a backup that fails leaves nothing behind, and says why', () => {
  const cases: [string, () => Promise<BackupJobInput>, object][] = [
    [
      'the export has no such bitmap',
      async () => (await backup(fullJob()), jobFor(root, 'b1', [incremental('b0', server, 'x')])),
      { reason: 'BitmapNotExported', exitCode: 3, volume: 'vda' },
    ],
    [
      'the server goes away',
      async () => jobFor(root, 'b1', [full(await serve({ answer: () => 'hangup' }))]),
      { reason: 'NbdGone', exitCode: 3, volume: 'vda' },
    ],
    [
      'the server fails a read',
      async () => {
        const answer: FakeDisk['answer'] = (request) => [simpleReply(request, 5)];
        return jobFor(root, 'b1', [full(await serve({ simpleOnly: true, answer }))]);
      },
      { reason: 'NbdServerError', exitCode: 3, volume: 'vda' },
    ],
    [
      'one of two volumes fails, while the other is being copied',
      async () => {
        const bad = await serve({ answer: () => 'hangup' });
        const slow = await serve({ answer: () => null });
        return jobFor(root, 'b1', [{ ...full(slow), name: 'data' }, full(bad)]);
      },
      { reason: 'NbdGone', exitCode: 3, volume: 'vda' },
    ],
    [
      'the parent is missing',
      async () => jobFor(root, 'b1', [incremental('b0')]),
      { reason: 'ParentDataMissing', exitCode: 6, volume: 'vda' },
    ],
    [
      'the disk shrank',
      async () => (
        await backup(fullJob()),
        jobFor(root, 'b1', [incremental('b0', await serve({ content: content.subarray(0, SIZE / 2) }))])
      ),
      { reason: 'DiskShrank', exitCode: 6 },
    ],
    [
      'the parent lies elsewhere',
      async () => jobFor(root, 'b1', [{ ...incremental('b0'), parent: '/elsewhere/b0' }]),
      { reason: 'ParentElsewhere', exitCode: 2 },
    ],
    [
      'the source is no NBD URI',
      () => Promise.resolve(jobFor(root, 'b1', [{ ...full(), source: '/dev/vda' }])),
      { reason: 'SourceInvalid', exitCode: 2 },
    ],
    [
      'the disk is larger than an image can be',
      async () =>
        jobFor(root, 'b1', [
          full(await serve({ option: (option, honest) => (option === 7 ? huge(honest) : undefined) })),
        ]),
      { reason: 'SourceTooLarge', exitCode: 2 },
    ],
  ];
  test.each(cases)('%s', async (_, prepare, expected) => {
    const job = await prepare();
    const before = existsSync(vmDirectory()) ? readdirSync(vmDirectory()) : [];
    expect(await failureOf(backup(job))).toMatchObject(expected);
    expect(existsSync(vmDirectory()) ? readdirSync(vmDirectory()) : []).toEqual(before);
  });

  test('it is told to stop', async () => {
    const abort = new AbortController();
    const slow = await serve({
      answer: (request, honest) =>
        request.command === 0 ? (abort.abort(new Aborted('a test')), null) : honest,
    });
    expect(await failureOf(backup(jobFor(root, 'b0', [full(slow)]), abort.signal))).toMatchObject({
      reason: 'Aborted',
      exitCode: 5,
    });
    expect(readdirSync(vmDirectory())).toEqual([]);
  });

  test('the repository is not mounted', async () => {
    rmSync(root, { recursive: true });
    expect(await failureOf(backup(fullJob()))).toMatchObject({ reason: 'TargetMissing', exitCode: 4 });
    expect(existsSync(root)).toBe(false);
  });

  test('the VM is another one', async () => {
    await backup(fullJob());
    const job = jobFor(root, 'b1', [incremental('b0')]);
    const other = { ...job, manifest: { ...job.manifest, vm: { ...job.manifest.vm, uid: 'other' } } };
    expect(await failureOf(backup(other))).toMatchObject({ reason: 'ParentMismatch', exitCode: 6 });
  });
});

/** Rewrites an image's header so that it is a lawful one, but names another backup beneath it. */
function standOnAnother(directory: string): void {
  const path = join(directory, 'vda.qcow2');
  const header = decodeHeader(readFileSync(path));
  if (typeof header === 'string') throw new Error(header);
  writeFileSync(path, encodeHeader({ ...header, backingFile: '../b9/vda.qcow2' }), { flag: 'r+' });
}

describe('a parent is taken only if all beneath it is there', () => {
  const damages: [string, string, (directory: string) => void][] = [
    ['no image', 'Missing', (d) => rmSync(join(d, 'vda.qcow2'))],
    ['no sums', 'Missing', (d) => rmSync(join(d, 'vda.sums'))],
    ['no manifest', 'Missing', (d) => rmSync(join(d, 'manifest.json'))],
    ['a shorter image', 'Damaged', (d) => truncateSync(join(d, 'vda.qcow2'), 65536)],
    [
      'a manifest that was changed',
      'Damaged',
      (d) =>
        writeFileSync(
          join(d, 'manifest.json'),
          readFileSync(join(d, 'manifest.json'), 'utf8').replace('"vda"', '"vdb"'),
        ),
    ],
    ['an image that stands on another', 'Damaged', standOnAnother],
    [
      'an image with another header',
      'Damaged',
      (d) => writeFileSync(join(d, 'vda.qcow2'), Buffer.alloc(10), { flag: 'r+' }),
    ],
  ];
  test.each(
    damages.flatMap(([what, kind, damage]) =>
      ['b0', 'b1'].map((where) => [what, kind, damage, where] as const),
    ),
  )('%s is %s', async (_, kind, damage, where) => {
    await backup(fullJob());
    await backup(jobFor(root, 'b1', [incremental('b0')]));
    damage(join(vmDirectory(), where));
    expect(await failureOf(backup(jobFor(root, 'b2', [incremental('b1')])))).toMatchObject({
      reason: `ParentData${kind}`,
      exitCode: 6,
    });
    expect(await inspectBackup(join(vmDirectory(), 'b1'))).toMatchObject({
      usable: false,
      reason: `ParentData${kind}`,
    });
  });

  test('a parent that was made anew under its old name is Damaged', async () => {
    await backup(fullJob());
    await backup(jobFor(root, 'b1', [incremental('b0')]));
    rmSync(join(vmDirectory(), 'b0'), { recursive: true });
    const job = fullJob();
    await backup({ ...job, manifest: { ...job.manifest, backup: { ...job.manifest.backup, uid: 'anew' } } });
    expect((await failureOf(backup(jobFor(root, 'b2', [incremental('b1')])))).reason).toBe(
      'ParentDataDamaged',
    );
  });

  test('a good one is usable, and tells how long its chain is', async () => {
    await backup(fullJob());
    const { directory } = await backup(jobFor(root, 'b1', [incremental('b0')]));
    expect(await inspectBackup(directory)).toMatchObject({
      usable: true,
      reason: null,
      backup: { id: basename(directory), bitmap: 'bitmap-of-b1', vmUid: 'vm-uid' },
      volumes: [{ name: 'vda', chainLength: 2, parentId: 'b0', reason: null }],
    });
    expect(dirname(directory)).toBe(vmDirectory());
  });
});

describe('a parent that goes while its child is copied takes the child with it: nothing is committed on nothing', () => {
  test.each<[string, string, (parent: string) => void]>([
    ['removed by hand', 'ParentDataMissing', (parent) => rmSync(parent, { recursive: true })],
    ['cut short', 'ParentDataDamaged', (parent) => truncateSync(join(parent, 'vda.qcow2'), 65_536)],
    [
      'made anew',
      'ParentDataDamaged',
      (parent) => {
        const manifest = readFileSync(join(parent, 'manifest.json'), 'utf8').replace('uid-of-b0', 'anew');
        const sum = createHash('sha256').update(manifest).digest('hex');
        writeFileSync(join(parent, 'manifest.json'), manifest);
        writeFileSync(join(parent, 'manifest.sha256'), `${sum}  manifest.json\n`);
      },
    ],
  ])('%s', async (_, reason, spoil) => {
    const { directory } = await backup(fullJob('b0'));
    const meter = () => {
      if (readdirSync(vmDirectory()).some((name) => name.startsWith('.incoming-b1')) && existsSync(directory))
        spoil(directory);
    };
    const job = jobFor(root, 'b1', [incremental('b0')]);
    const failure = await failureOf(backup(job, undefined, { ...quiet, meter }));
    expect(failure).toMatchObject({ reason, exitCode: 6, volume: 'vda' });
    expect(readdirSync(vmDirectory()).filter((name) => name.includes('b1'))).toEqual([]);
  });
});

test('progress of each volume goes from nothing to all', async () => {
  const told: string[] = [];
  const meter: typeof quiet.meter = ({ phase, bytesDone, bytesTotal }) =>
    told.push(`${phase} ${bytesDone}/${bytesTotal}`);
  await backup(fullJob(), new AbortController().signal, { ...quiet, meter });
  expect([told[0], told.at(-1)]).toEqual([`copying 0/${SIZE}`, `syncing ${SIZE}/${SIZE}`]);
});
