import type { DamagedBackup, ScrubStatus, Verification } from '../../crds/upkeep.ts';
import type { VMBackup } from '../../crds/vmbackup.ts';
import { humanSize } from '../columns.ts';
import { REPOSITORY_PATH } from '../job/mover-pod.ts';
import { VERIFY_ANNOTATION } from '../labels.ts';
import type { VerifyResult } from '../mover-report.ts';
import { standingOf } from '../standing.ts';
import { clip, type Why } from '../why.ts';
import { comparePaths } from './path-order.ts';
import { DAMAGED_LIMIT } from './scrub.ts';

/** Whether someone asks for the verification of a backup, and it has not been done to the end. */
export function asksForVerification(backup: VMBackup): boolean {
  const asked = backup.metadata.annotations?.[VERIFY_ANNOTATION];
  if (asked === undefined || backup.metadata.deletionTimestamp !== undefined) return false;
  if (standingOf(backup).kind !== 'Succeeded') return false;
  const { verification } = backup.status ?? {};
  return verification?.trigger !== asked || verification.completedAt === undefined;
}

/** Where a verification goes on: an earlier slice of the same wish had to give way. */
export function verifiedUpTo({ metadata, status }: VMBackup): string | undefined {
  const { trigger, cursor } = status?.verification ?? {};
  return trigger === metadata.annotations?.[VERIFY_ANNOTATION] ? cursor : undefined;
}

/** What the status of a backup says after a Job. `said` is what it found; undefined if it found nothing out, for the reason `why`. */
export function verified(
  backup: VMBackup,
  said: VerifyResult | undefined,
  why: Why,
  at: string,
): Verification {
  const trigger = backup.metadata.annotations?.[VERIFY_ANNOTATION] ?? '';
  const before = backup.status?.verification;
  const bytesBefore = verifiedUpTo(backup) === undefined ? 0 : (before?.bytesRead ?? 0);
  const bytesRead = bytesBefore + (said?.bytesRead ?? 0);
  if (said === undefined)
    return { trigger, bytesRead, completedAt: at, result: 'Unknown', ...why, message: clip(why.message) };
  const { faults, cursor, backups } = said;
  const [first] = faults;
  if (first !== undefined) {
    const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
    const message = clip(`${first.message.replaceAll(`${REPOSITORY_PATH}/`, '')}${more}`);
    return { trigger, bytesRead, completedAt: at, result: 'Damaged', reason: first.reason, message };
  }
  if (cursor !== null) return { trigger, bytesRead, cursor };
  const chain = backups === 1 ? 'its data' : `its data and that of the ${backups - 1} it stands on`;
  const message = `Every byte of ${chain} is what was written: ${humanSize(bytesRead)} read.`;
  return { trigger, bytesRead, completedAt: at, result: 'Good', reason: 'Verified', message };
}

/** The record of a repository's damage, with what a verification found: the next backup of the chain is a full. Undefined if nothing is new. */
export function withDamage(
  scrub: ScrubStatus | undefined,
  backup: VMBackup,
  { faults }: VerifyResult,
  at: string,
): { readonly scrub: ScrubStatus; readonly found: readonly DamagedBackup[] } | undefined {
  const known = new Set(scrub?.damaged?.map(({ path }) => path));
  const found = new Map<string, DamagedBackup>();
  for (const { path, volume, reason, message } of faults) {
    const damaged = backupAt(path);
    if (known.has(damaged) || found.has(damaged)) continue;
    const chain = backup.status?.chain?.id;
    const told = message.replaceAll(`${REPOSITORY_PATH}/`, '').slice(0, 512);
    found.set(damaged, {
      path: damaged,
      ...{ reason, message: told, foundAt: at },
      ...(chain !== undefined && { chain }),
      ...(volume !== null && { volume }),
    });
  }
  if (found.size === 0) return undefined;
  const all = [...(scrub?.damaged ?? []), ...found.values()];
  const damaged = all.toSorted((a, b) => comparePaths(a.path, b.path)).slice(0, DAMAGED_LIMIT);
  const damagedCount = (scrub?.damagedCount ?? 0) + found.size;
  return { scrub: { passBytes: 0, ...scrub, damagedCount, damaged }, found: [...found.values()] };
}

/** The directory of a backup, of a file in it, as a Job sees it. */
function backupAt(path: string): string {
  return path.replace(`${REPOSITORY_PATH}/`, '').split('/').slice(0, 4).join('/');
}
