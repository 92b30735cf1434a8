import type { Verification } from '../../crds/upkeep.ts';
import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { humanSize } from '../../domain/columns.ts';
import { notMountableByJobs } from '../../domain/job/not-mountable.ts';
import { standingOf } from '../../domain/standing.ts';
import type { Styled } from '../screen/style.ts';

/** Why a verification would never come; undefined if it will. @param repository undefined if the user may not see it */
export function refusalOf(backup: VMBackup, repository: VMBackupRepository | undefined): string | undefined {
  const { name, deletionTimestamp } = backup.metadata;
  if (deletionTimestamp !== undefined) return `VMBackup '${name}' is being deleted`;
  const { kind } = standingOf(backup);
  if (kind !== 'Succeeded')
    return `VMBackup '${name}' has no data to verify: 'kubectl tidemark why ${name}' tells how it stands`;
  if (repository === undefined) return undefined;
  const ready = repository.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True')
    return `the repository '${repository.metadata.name}' is not ready: ${ready?.message ?? 'no node agent has looked at it yet.'}`;
  return notMountableByJobs(repository)?.message;
}

/** Says whether a backup has the answer to a wish. */
export function answerTo(token: string): (seen: VMBackup) => Verification | undefined {
  return ({ status }) => {
    const { verification } = status ?? {};
    return verification?.trigger === token && verification.completedAt !== undefined
      ? verification
      : undefined;
  };
}

/** How a verification comes on. */
export function verificationLine(token: string): (seen: VMBackup) => Styled {
  return ({ spec, status }) => {
    const { verification } = status ?? {};
    if (verification?.trigger !== token)
      return { text: `waits for the Job: one at a time in '${spec.repository}'` };
    const read = `${humanSize(verification.bytesRead)} read`;
    if (verification.completedAt !== undefined) return { text: read };
    return { text: `${read}, gave way to more urgent work in '${spec.repository}'`, tone: 'warn' };
  };
}
