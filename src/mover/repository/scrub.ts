import { basename, join } from 'node:path';
import type { Manifest } from '../../domain/manifest.ts';
import { formatScrubCursor, type ScrubCursor, type ScrubResult } from '../../domain/upkeep/scrub.ts';
import { throwIfAborted } from '../errors.ts';
import { type Found, findBackups } from './catalogue.ts';
import { exists } from './durable.ts';
import { Fault } from './faults.ts';
import { type VerifyOptions, verifyBackup } from './verify.ts';

export interface ScrubOptions extends Pick<VerifyOptions, 'meter' | 'pace' | 'partBytes'> {
  readonly cursor: ScrubCursor | null;
  /** Of the bytes that are left to read: 1 is all. */
  readonly share: number;
  readonly isTimeUp: () => boolean;
}

type Damaged = ScrubResult['damaged'][number];

/** A result is handed on by the end of a log: so many damaged backups are named in it, and the slice ends there. */
const NAMED = 8;
/** After all volumes of a backup: their names are in lower case. */
const PAST_ALL = '~';

/**
 * Verifies a share of a repository from a place on, backup by backup. Each backup by itself, with what ties it to its parents: so
 * every byte is read once in a pass, and a damaged one does not hide behind another.
 */
export async function scrub(
  root: string,
  { cursor, share, isTimeUp, ...options }: ScrubOptions,
  signal: AbortSignal,
): Promise<ScrubResult> {
  const left = await backupsFrom(root, cursor, signal);
  const bytesLeft = left.reduce((sum, each) => sum + bytesOf(each.manifest), 0);
  const budget = Math.ceil(bytesLeft * share);
  const damaged: Damaged[] = [];
  const told = (next: ScrubCursor | null, backups: number, bytesRead: number): ScrubResult => ({
    event: 'result',
    command: 'scrub',
    cursor: next && formatScrubCursor(next),
    ...{ backups, bytesRead, bytesLeft },
    damaged,
  });
  let bytesRead = 0;
  for (const [index, found] of left.entries()) {
    throwIfAborted(signal);
    const directory = join(root, found.path);
    let before = 0;
    const { faults, at } = await look(found, directory, cursor, signal, {
      ...options,
      meter: (progress) => {
        before = progress.bytesRead;
        options.meter(progress);
      },
      isTimeUp: () => isTimeUp() || bytesRead + before >= budget,
    });
    bytesRead += at.bytesRead;
    // Removed while it was read: that is nobody's damage.
    if (faults.length > 0 && (await exists(directory))) damaged.push(damageOf(found, faults));
    if (at.cursor !== null) {
      return told(
        { path: found.path, volume: at.cursor.volume, offset: at.cursor.offset },
        index + 1,
        bytesRead,
      );
    }
    const isLast = index === left.length - 1;
    if (!isLast && (isTimeUp() || bytesRead >= budget || damaged.length === NAMED)) {
      return told({ path: found.path, volume: PAST_ALL, offset: 0 }, index + 1, bytesRead);
    }
  }
  return told(null, left.length, bytesRead);
}

async function look(
  { path, manifest }: Found,
  directory: string,
  cursor: ScrubCursor | null,
  signal: AbortSignal,
  options: Omit<VerifyOptions, 'wholeChain' | 'cursor'>,
) {
  if (manifest instanceof Fault) return { faults: [manifest], at: { bytesRead: 0, cursor: null } };
  const begin = cursor?.path === path ? { ...cursor, id: basename(path) } : null;
  const at = await verifyBackup(directory, { ...options, wholeChain: false, cursor: begin }, signal);
  return { faults: at.faults, at };
}

async function backupsFrom(
  root: string,
  cursor: ScrubCursor | null,
  signal: AbortSignal,
): Promise<readonly Found[]> {
  const found: Found[] = [];
  for await (const each of findBackups(root, cursor?.path)) {
    throwIfAborted(signal);
    if (cursor?.path === each.path && cursor.volume === PAST_ALL) continue;
    // A manifest holds the definitions of the VM: thousands of them are not kept.
    found.push({
      path: each.path,
      manifest: each.manifest instanceof Fault ? each.manifest : { ...each.manifest, definitions: {} },
    });
  }
  return found;
}

function bytesOf(manifest: Manifest | Fault): number {
  if (manifest instanceof Fault) return 0;
  return manifest.volumes.reduce((sum, { image }) => sum + image.bytes, 0);
}

function damageOf({ path, manifest }: Found, faults: readonly Fault[]): Damaged {
  const [first, ...rest] = faults;
  const more = rest.length > 0 ? ` (and ${rest.length} more)` : '';
  return {
    path,
    chain: manifest instanceof Fault ? null : manifest.chain.id,
    volume: first?.volume ?? null,
    reason: first?.reason ?? 'BackupDataDamaged',
    message: `${first?.volume ? `volume ${first.volume}: ` : ''}${first?.detail ?? ''}${more}`.slice(0, 160),
  };
}
