import { open, readFile, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProbeResult } from '../../domain/mover-report.ts';
import { onTarget, TargetError } from '../target-error.ts';
import { syncDirectory } from './durable.ts';
import { readMark } from './mark.ts';

/** What a probe takes from outside: a clock in milliseconds, random bytes to write, and a name nobody else uses. */
export interface ProbeContext {
  readonly now: () => number;
  readonly content: Buffer;
  readonly unique: string;
}

/**
 * Does to a repository what a backup does: write, sync, rename, read back, remove. Tells how long that took and what room
 * there is for an unprivileged writer.
 * @throws TargetError, with the reason the repository cannot be used
 */
export async function probe(directory: string, { now, content, unique }: ProbeContext): Promise<ProbeResult> {
  const draft = join(directory, `.probe-${unique}.draft`);
  const path = join(directory, `.probe-${unique}`);
  const start = now();
  try {
    await onTarget('write to', directory, async () => {
      await using file = await open(draft, 'wx', 0o640);
      await file.writeFile(content);
      await file.sync();
    });
    await onTarget('rename in', directory, () => rename(draft, path));
    await syncDirectory(directory);
    const readBack = await onTarget('read back from', directory, () => readFile(path));
    if (!readBack.equals(content))
      throw new TargetError('TargetFailed', `${directory} gives back other bytes than were written`);
  } finally {
    for (const left of [draft, path]) await rm(left, { force: true }).catch(() => {});
  }
  const latencyMilliseconds = now() - start;
  const { blocks, bavail, bsize } = await onTarget('look at', directory, () => statfs(directory));
  const mark = await readMark(directory);
  return {
    event: 'result',
    command: 'probe',
    directory,
    repositoryId: mark?.repositoryId ?? null,
    totalBytes: blocks * bsize,
    freeBytes: bavail * bsize,
    latencyMilliseconds,
  };
}
