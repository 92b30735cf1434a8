import { basename, dirname, join } from 'node:path';
import type { FileRecord, Manifest, VolumeRecord } from '../../domain/manifest.ts';
import type { Pace } from '../pace.ts';
import type { ProgressMeter } from '../report.ts';
import { checkFiles, checkIsParent, readLink } from './chain.ts';
import { type Cursor, compare, formatCursor, startWithin } from './cursor.ts';
import { Fault } from './faults.ts';
import { readManifest, sha256 } from './manifest-file.ts';
import { readPlain } from './plain-file.ts';
import { verifyImage } from './verify-image.ts';

export interface VerifyOptions {
  /** Also everything beneath: the parents of every volume, down to the full. */
  readonly wholeChain: boolean;
  readonly meter: ProgressMeter;
  readonly pace: Pace;
  /** How much is read, and paced, at once: a multiple of 64 KiB. */
  readonly partBytes: number;
  /** Go on from here; null to begin at the beginning. */
  readonly cursor: Cursor | null;
  /** Asked after each part that was read; true ends the verification there. */
  readonly isTimeUp: () => boolean;
}

/** What a verification found. Good is: no faults. Whole is: no cursor. */
export interface Verification {
  readonly backups: number;
  readonly bytesRead: number;
  /** Where to go on, if the time was up. */
  readonly cursor: Cursor | null;
  readonly faults: readonly Fault[];
}

/** One backup of those that are verified. */
interface Member {
  readonly directory: string;
  readonly manifest: Manifest;
}

/**
 * Reads a backup as a whole and proves every byte: manifest against its sum, files against the manifest, images against their
 * sums and their tables, and each parent against what its child recorded of it. First all that is small, then the data, the
 * oldest backup first: so a new backup on top of a chain does not disturb a verification in slices.
 */
export async function verifyBackup(
  directory: string,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<Verification> {
  const faults: Fault[] = [];
  const { members, backups } = await collectMembers(directory, options.wholeChain, faults);
  for (const member of members) await verifySmall(member, faults);
  let bytesRead = 0;
  for (const { directory: at, manifest } of members) {
    for (const record of manifest.volumes.toSorted((a, b) => compare(a.name, b.name))) {
      const place = { id: basename(at), volume: record.name };
      const start = startWithin(options.cursor, place.id, place.volume);
      if (start === null) continue;
      const onProgress = (offset: number, read: number): boolean => {
        tell(options.meter, record, offset, bytesRead + read, formatCursor({ ...place, offset }));
        return options.isTimeUp();
      };
      const { pace, partBytes } = options;
      const image = await collect(faults, () =>
        verifyImage(at, record, { start, partBytes, pace, onProgress }, signal),
      );
      bytesRead += image?.bytesRead ?? 0;
      faults.push(...(image?.faults ?? []));
      const stoppedAt = image?.stoppedAt ?? null;
      if (stoppedAt !== null) return { backups, bytesRead, cursor: { ...place, offset: stoppedAt }, faults };
    }
  }
  return { backups, bytesRead, cursor: null, faults };
}

/** The backups to verify, oldest first. */
async function collectMembers(
  directory: string,
  wholeChain: boolean,
  faults: Fault[],
): Promise<{ readonly members: readonly Member[]; readonly backups: number }> {
  const members: Member[] = [];
  const waiting = [directory];
  const seen = new Set(waiting);
  for (const at of waiting) {
    const manifest = await collect(faults, () => readManifest(at));
    if (!manifest) continue;
    members.push({ directory: at, manifest });
    if (!wholeChain) break;
    for (const { parent } of manifest.volumes) {
      const beneath = parent && join(dirname(at), parent.id);
      if (beneath === null || seen.has(beneath)) continue;
      seen.add(beneath);
      waiting.push(beneath);
    }
  }
  return { members: members.sort((a, b) => compare(a.directory, b.directory)), backups: seen.size };
}

/** All that costs no reading of data. */
async function verifySmall({ directory, manifest }: Member, faults: Fault[]): Promise<void> {
  for (const file of manifest.files) await collect(faults, () => verifyFile(directory, file));
  for (const record of manifest.volumes) {
    await collect(faults, () => checkFiles(directory, record));
    await collect(faults, () => verifyParentLink(directory, record));
  }
}

async function verifyParentLink(directory: string, { name, parent }: VolumeRecord): Promise<void> {
  if (parent) checkIsParent(await readLink(join(dirname(directory), parent.id), name), parent);
}

async function verifyFile(directory: string, { name, bytes, sha256: expected }: FileRecord): Promise<void> {
  const path = join(directory, name);
  const content = await readPlain(path, bytes);
  if (content.length !== bytes || sha256(content) !== expected)
    throw new Fault('Damaged', null, path, 'is not what was written');
}

function tell(
  meter: ProgressMeter,
  { name, image }: VolumeRecord,
  bytesDone: number,
  bytesRead: number,
  cursor: string,
): void {
  meter({
    volume: name,
    phase: 'verifying',
    bytesDone,
    bytesTotal: image.bytes,
    bytesRead,
    bytesStored: 0,
    cursor,
  });
}

/** Runs one check; what it finds wrong is kept, and the next check runs all the same. Anything else is thrown. */
async function collect<T>(faults: Fault[], check: () => Promise<T>): Promise<T | null> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    // A parent's fault shows once for each child that stands on it: once is enough.
    if (!faults.some(({ message }) => message === error.message)) faults.push(error);
    return null;
  }
}
