import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackupJob, type BackupJobInput } from '../../../src/domain/mover-job.ts';
import type { BackupResult } from '../../../src/domain/mover-report.ts';
import { type BackupContext, runBackup } from '../../../src/mover/backup.ts';
import { MoverError } from '../../../src/mover/errors.ts';

/** A directory that goes away with the block it was made in. */
export function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'tidemark-mover-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

type Volume = BackupJobInput['volumes'][number];

/** A lawful job for `<root>/c/ns/vm-1/<id>`; what is given wins. */
export function jobFor(
  root: string,
  id: string,
  volumes: readonly Volume[],
  overrides: Partial<BackupJobInput> = {},
): BackupJobInput {
  const parent = volumes.find((volume) => volume.type === 'Incremental');
  return {
    directory: join(root, 'c', 'ns', 'vm-1', id),
    attempt: 1,
    manifest: {
      backup: { id, name: id, namespace: 'ns', uid: `uid-of-${id}`, createdAt: '2026-11-23T10:00:00Z' },
      cluster: 'c',
      vm: { name: 'vm', namespace: 'ns', uid: 'vm-uid' },
      chain: { id: 'chain', position: parent ? 1 : 0 },
      type: parent ? 'Incremental' : 'Full',
      reason: parent ? 'BaseAvailable' : 'NoEarlierBackup',
      message: 'in a test',
      bitmap: `bitmap-of-${id}`,
      parent: null,
    },
    volumes: [...volumes],
    ...overrides,
  };
}

export const quiet: BackupContext = {
  now: () => new Date('2026-11-23T10:00:01Z'),
  randomId: () => '0123abcd-0000-4000-8000-000000000000',
  meter: () => {},
  inRepository: true,
};

export async function backup(
  job: BackupJobInput,
  signal = new AbortController().signal,
  context = quiet,
): Promise<BackupResult> {
  return await runBackup(BackupJob.parse(job), context, signal);
}

export async function failureOf(
  promise: Promise<unknown>,
): Promise<Pick<MoverError, 'reason' | 'exitCode' | 'volume' | 'message'>> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MoverError) return error;
    throw error;
  }
  throw new Error('nothing failed');
}
