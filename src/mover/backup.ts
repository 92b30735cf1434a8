import { availableParallelism } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  type FileRecord,
  FORMAT_VERSION,
  type Manifest,
  type ParentLink,
  type VolumeRecord,
} from '../domain/manifest.ts';
import type { BackupJob, VolumeJob } from '../domain/mover-job.ts';
import type { BackupResult } from '../domain/mover-report.ts';
import { backupVolume } from './backup-volume.ts';
import { MoverError, ParentError, throwIfAborted, UsageError } from './errors.ts';
import { inParallel } from './in-parallel.ts';
import { paced, pieceBytesFor } from './pace.ts';
import { Packer } from './pack/packer.ts';
import type { ProgressMeter } from './report.ts';
import { walkChain } from './repository/chain.ts';
import { writeDurably } from './repository/durable.ts';
import { asParentError } from './repository/faults.ts';
import { commitIncoming, committedAlready, createIncoming, removeTree } from './repository/incoming.ts';
import { sha256, writeManifest } from './repository/manifest-file.ts';
import { ensureMark, repositoryRoot } from './repository/mark.ts';

/** Time, randomness and the listener: what a backup takes from outside. */
export interface BackupContext {
  readonly now: () => Date;
  /** A UUID. */
  readonly randomId: () => string;
  readonly meter: ProgressMeter;
  /** Whether the directory lies in a repository, four levels under its root; by hand it need not. */
  readonly inRepository: boolean;
}

/** All cores of a small machine, some of a large one: the guests live there, and each thread takes some 17 MiB. */
const MAX_THREADS = 8;
/** Compression needs room for a piece twice, for two pieces a thread. */
const LARGEST_PACKED_PIECE_BYTES = 512 * 1024;
/** A server that owes an answer may well wait for a slow disk, but not for ever. */
const STALL_MILLISECONDS = 120_000;

/**
 * Makes one backup of all its volumes, or finds that it has been made. Either the final directory appears with everything in
 * it, or nothing does and the incoming directory is removed. docs/format.md tells the order of writing.
 * @throws MoverError of any kind; the parents are never touched
 */
export async function runBackup(
  job: BackupJob,
  context: BackupContext,
  signal: AbortSignal,
): Promise<BackupResult> {
  const startedAt = context.now().getTime();
  const result = (manifest: Manifest, alreadyCommitted: boolean): BackupResult => ({
    event: 'result',
    command: 'backup',
    directory: job.directory,
    alreadyCommitted,
    volumes: manifest.volumes.map(({ image, ...volume }) => ({
      ...pickResult(volume),
      imageBytes: image.bytes,
    })),
    milliseconds: Math.max(0, context.now().getTime() - startedAt),
  });
  const earlier = await committedAlready(job.directory, job.manifest.backup.uid);
  if (earlier) return result(earlier, true);
  const parents = new Map<string, ParentLink | null>();
  for (const volume of job.volumes) parents.set(volume.name, await parentOf(volume, job));
  // Fails where the root is missing: what is not mounted must not be filled beneath its mount point.
  if (context.inRepository)
    await ensureMark(repositoryRoot(job.directory), job.repositoryId, context.randomId());
  const mark = context.randomId().slice(0, 8);
  const incoming = await createIncoming(job.directory, job.attempt, mark);
  try {
    if (context.inRepository)
      await ensureMark(repositoryRoot(job.directory), job.repositoryId, context.randomId());
    const volumes = await backupVolumes(job, incoming, parents, context, signal);
    const files = await storeFiles(job, incoming);
    const manifest: Manifest = {
      ...job.manifest,
      formatVersion: FORMAT_VERSION,
      completedAt: context.now().toISOString(),
      attempt: job.attempt,
      volumes,
      files,
    };
    await writeManifest(incoming, manifest);
    await proveParents(job, parents);
    throwIfAborted(signal);
    await commitIncoming(incoming, job.directory);
    return result(manifest, false);
  } catch (error) {
    // After the rename there is nothing left under this name. The first error is the one to tell.
    await removeTree(incoming).catch(() => {});
    throw error;
  }
}

async function backupVolumes(
  job: BackupJob,
  incoming: string,
  parents: ReadonlyMap<string, ParentLink | null>,
  { meter }: BackupContext,
  signal: AbortSignal,
): Promise<VolumeRecord[]> {
  await using packer =
    job.compression === 'zstd'
      ? new Packer(Math.min(availableParallelism(), MAX_THREADS), job.compressionLevel)
      : null;
  const pieceBytes = pieceBytesFor(job.limitBytesPerSecond);
  const shared = {
    incoming,
    // One for all of them: the limit is the backup's.
    pace: paced(job.limitBytesPerSecond),
    pieceBytes: packer ? Math.min(pieceBytes, LARGEST_PACKED_PIECE_BYTES) : pieceBytes,
    packer,
    stallMilliseconds: job.stallMilliseconds ?? STALL_MILLISECONDS,
    meter,
  };
  return await inParallel(job.volumes, job.parallel, signal, async (volume, either) => {
    try {
      const parent = parents.get(volume.name) ?? null;
      return await backupVolume({ ...shared, job: volume, parent }, either);
    } catch (error) {
      if (error instanceof MoverError) error.volume ??= volume.name;
      throw error;
    }
  });
}

/** The link to a volume's parent, checked down to its full. */
async function parentOf(volume: VolumeJob, job: BackupJob): Promise<ParentLink | null> {
  if (volume.type === 'Full') return null;
  const directory = resolve(volume.parent);
  if (dirname(directory) !== dirname(resolve(job.directory))) {
    throw new UsageError(
      'ParentElsewhere',
      `${directory} does not lie beside ${job.directory}: a chain lives in one directory`,
    );
  }
  try {
    const { manifest, record } = (await walkChain(directory, volume.name)).tip;
    if (manifest.vm.uid !== job.manifest.vm.uid) {
      throw new ParentError(
        'ParentMismatch',
        `${directory} is a backup of another VM (${manifest.vm.namespace}/${manifest.vm.name})`,
      );
    }
    return {
      id: basename(directory),
      uid: manifest.backup.uid,
      sumsSha256: record.sums.sha256,
      virtualSizeBytes: record.virtualSizeBytes,
    };
  } catch (error) {
    throw asParentError(error, volume.name);
  }
}

/** A copy takes hours: what the child stands on must still be there, and be what it was, when it is committed. */
async function proveParents(job: BackupJob, parents: ReadonlyMap<string, ParentLink | null>): Promise<void> {
  for (const volume of job.volumes) {
    if (isDeepStrictEqual(await parentOf(volume, job), parents.get(volume.name))) continue;
    const error = new ParentError('ParentDataDamaged', `the parent of volume ${volume.name} was made anew`);
    error.volume = volume.name;
    throw error;
  }
}

async function storeFiles(job: BackupJob, incoming: string): Promise<FileRecord[]> {
  const records: FileRecord[] = [];
  for (const { name, content } of job.files) {
    await writeDurably(join(incoming, name), content);
    records.push({ name, bytes: Buffer.byteLength(content), sha256: sha256(content) });
  }
  return records;
}

function pickResult({ name, type, virtualSizeBytes, dataBytes, zeroBytes }: Omit<VolumeRecord, 'image'>) {
  return { name, type, virtualSizeBytes, dataBytes, zeroBytes };
}
