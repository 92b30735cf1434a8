import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Manifest } from '../../domain/manifest.ts';
import { incomingName, parseIncomingName } from '../../domain/mover-job.ts';
import { isMissing } from '../errno.ts';
import { onTarget, TargetError } from '../target-error.ts';
import { exists, makeDirectories, makeDirectory, syncDirectory } from './durable.ts';
import { Fault } from './faults.ts';
import { readManifest } from './manifest-file.ts';

/** The end of an incoming directory's name while it is being removed. */
const DISCARDED = /\.discarded$/;

/**
 * The manifest of a backup that an earlier attempt has committed; null if there is none yet.
 * @throws TargetError `TargetExists` if something else bears its name, which is never written over
 */
export async function committedAlready(directory: string, backupUid: string): Promise<Manifest | null> {
  if (!(await exists(directory))) return null;
  const taken = (why: string, options?: ErrorOptions) =>
    new TargetError(
      'TargetExists',
      `${directory} is there already and ${why}: move it away or take another name`,
      options,
    );
  const manifest = await readManifest(directory).catch((cause: unknown) => {
    throw cause instanceof Fault ? taken('is no good backup', { cause }) : cause;
  });
  if (manifest.backup.uid !== backupUid) throw taken(`is another backup (uid ${manifest.backup.uid})`);
  return manifest;
}

/**
 * Makes the empty directory an attempt writes into, beside the final one. What the same attempt left before is removed first;
 * a mover that still writes there can never commit it.
 */
export async function createIncoming(directory: string, attempt: number, mark: string): Promise<string> {
  const [parent, id] = [dirname(directory), basename(directory)];
  await makeDirectories(parent);
  await discard(parent, (left) => left.backupId === id && left.attempt === attempt);
  const incoming = join(parent, incomingName(id, attempt, mark));
  await onTarget('create', incoming, () => makeDirectory(incoming));
  return incoming;
}

/** The commit: everything in `incoming` is on stable storage; give it its name. From here on nothing is written again. */
export async function commitIncoming(incoming: string, directory: string): Promise<void> {
  await syncDirectory(incoming);
  await onTarget('rename', `${incoming} to ${directory}`, () => rename(incoming, directory));
  await syncDirectory(dirname(directory));
}

/**
 * Removes what dead attempts of exactly this backup left behind. Whatever another backup, cluster or agent writes stays.
 * @returns the names removed
 */
export async function discardAttempts(parentDirectory: string, backupId: string): Promise<readonly string[]> {
  if (!(await exists(parentDirectory))) return [];
  return await discard(parentDirectory, (left) => left.backupId === backupId);
}

async function discard(
  parent: string,
  isStale: (left: { readonly backupId: string; readonly attempt: number }) => boolean,
): Promise<readonly string[]> {
  const names = await onTarget('list', parent, () => readdir(parent));
  const stale = names.filter((name) => {
    const left = parseIncomingName(name.replace(DISCARDED, ''));
    return left !== null && isStale(left);
  });
  for (const name of stale.sort()) await discardIncoming(join(parent, name));
  return stale;
}

/**
 * Removes an incoming directory, or what an earlier removal left of one. It first loses the name that a commit would rename:
 * of a discard and the late commit of a mover that was thought dead, exactly one wins, and never is half a backup committed.
 */
export async function discardIncoming(path: string): Promise<void> {
  if (DISCARDED.test(path)) return removeTree(path);
  const doomed = `${path}.discarded`;
  await removeTree(doomed);
  await onTarget('rename', path, () => rename(path, doomed).catch(unlessMissing));
  await removeTree(doomed);
}

/** What is gone already was removed, or committed, by someone else. */
function unlessMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}

/** Looks again a few times: on NFS a directory is not empty until the last write behind a file's close has come back. */
export async function removeTree(path: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 6, retryDelay: 100 };
  await onTarget('remove', path, () => rm(path, options));
}
