import { link, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FORMAT_VERSION, RepositoryMark } from '../../domain/manifest.ts';
import { isMissing, systemError } from '../errno.ts';
import { onTarget, TargetError } from '../target-error.ts';
import { syncDirectory, writeDurably } from './durable.ts';

export const MARK_FILE = 'tidemark.json';

/** The root of the repository a backup's directory lies in: `<root>/<cluster>/<namespace>/<vm>/<backup>`. */
export function repositoryRoot(directory: string): string {
  return dirname(dirname(dirname(dirname(directory))));
}

/** The repository's mark; null if it has none. @throws TargetError `RepositoryUnknown` if it is not one we understand */
export async function readMark(root: string): Promise<RepositoryMark | null> {
  const path = join(root, MARK_FILE);
  const content = await onTarget('read', path, async () => {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  });
  if (content === null) return null;
  try {
    return RepositoryMark.parse(JSON.parse(content));
  } catch (cause) {
    throw new TargetError('RepositoryUnknown', `${path} is not of a format this version understands`, {
      cause,
    });
  }
}

/**
 * Makes the mark where there is none. It appears whole or not at all (a link of a finished file), and the first of two
 * writers wins: it is never written over.
 * @param wantedId the id the repository must have, if the caller knows; else `newId` is for a new one
 */
export async function ensureMark(
  root: string,
  wantedId: string | undefined,
  newId: string,
): Promise<RepositoryMark> {
  const mark = (await readMark(root)) ?? (await createMark(root, wantedId ?? newId, newId));
  if (wantedId !== undefined && mark.repositoryId !== wantedId) {
    throw new TargetError(
      'RepositoryMismatch',
      `${root} is repository ${mark.repositoryId}, not ${wantedId}: check what is mounted there`,
    );
  }
  return mark;
}

async function createMark(root: string, repositoryId: string, unique: string): Promise<RepositoryMark> {
  const path = join(root, MARK_FILE);
  const draft = join(root, `.${MARK_FILE}-${unique}`);
  const content = `${JSON.stringify({ formatVersion: FORMAT_VERSION, repositoryId }, null, 2)}\n`;
  try {
    await writeDurably(draft, content);
    await onTarget('create', path, () => publish(draft, path, content));
    await syncDirectory(root);
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
  const mark = await readMark(root);
  if (mark) return mark;
  throw new TargetError('RepositoryUnknown', `${path} went away as soon as it was written`);
}

/** Gives the draft its name, if no other writer was first. CIFS may have no hard links: there it is created, at least exclusively. */
async function publish(draft: string, path: string, content: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    const { code } = systemError(error);
    if (code === 'EEXIST') return;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
    await writeDurably(path, content);
  }
}
