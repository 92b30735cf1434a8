import type { Verification } from '../../crds/upkeep.ts';
import { type VMBackup, vmBackups } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { eventIn } from '../../domain/job/job-standing.ts';
import { VerifyResult } from '../../domain/mover-report.ts';
import { verified, withDamage } from '../../domain/upkeep/verification.ts';
import type { Why } from '../../domain/why.ts';
import { Conflict, NotFound } from '../../kube/errors.ts';
import { type StatusWriter, writeStatus } from '../../kube/status.ts';
import type { Tools } from '../report.ts';

/** Its own field, and nobody else's. */
const writer: StatusWriter<VMBackup> = { fieldManager: 'tidemark-verify', fields: ['verification'] };

/** What a Job's log says of a backup, and what the repository must know of it. `why` tells why, if the log says nothing. */
export function readVerification(
  repository: VMBackupRepository,
  backup: VMBackup,
  { log, why }: { readonly log: string; readonly why: Why },
  now: number,
) {
  const at = new Date(now).toISOString();
  const parsed = VerifyResult.safeParse(eventIn(log, 'result'));
  const said = parsed.success ? parsed.data : undefined;
  return {
    verification: verified(backup, said, why, at),
    damage: said && withDamage(repository.status?.scrub, backup, said, at),
  };
}

/** Says at the backup what its verification found. */
export async function answer(
  { kube, recorder }: Pick<Tools, 'kube' | 'recorder'>,
  backup: VMBackup,
  verification: Verification,
  signal: AbortSignal,
): Promise<void> {
  try {
    await writeStatus(kube, vmBackups, backup, { verification }, writer, signal);
  } catch (error) {
    // Deleted in the meantime: nobody asks any more.
    if (error instanceof NotFound || error instanceof Conflict) return;
    throw error;
  }
  const { result, reason, message } = verification;
  if (reason === undefined || message === undefined) return;
  const type = result === 'Good' ? 'Normal' : 'Warning';
  recorder.record(vmBackups, backup, { type, reason, action: 'Verify', note: message });
}
