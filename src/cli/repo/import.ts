import type { CatalogueStatus } from '../../crds/upkeep.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { humanSize } from '../../domain/columns.ts';
import type { Styled } from '../screen/style.ts';

/** What came of an import that was asked for: what the listing counted, or why there was none. */
export interface ImportOutcome {
  readonly catalogue?: CatalogueStatus | undefined;
  readonly failure?: { readonly reason: string; readonly message: string } | undefined;
}

/** Says whether a repository has answered yet. @param before the repository before it was asked */
export function outcomeOfImport(
  token: string,
  before: VMBackupRepository,
): (seen: VMBackupRepository) => ImportOutcome | undefined {
  const earlier = before.status?.upkeep?.lastFailure?.at;
  return ({ status }) => {
    if (status?.catalogue?.trigger === token) return { catalogue: status.catalogue };
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status !== 'True') {
      const message = ready?.message ?? 'no node agent has looked at it yet.';
      return { failure: { reason: ready?.reason ?? 'NotReady', message } };
    }
    const { lastFailure, work } = status?.upkeep ?? {};
    if (lastFailure === undefined || lastFailure.at === earlier || work !== 'Catalogue') return undefined;
    return { failure: { reason: lastFailure.reason, message: lastFailure.message } };
  };
}

/** How an import comes on. */
export function importLine({ status }: VMBackupRepository, outcome: ImportOutcome | undefined): Styled {
  const { upkeep, catalogue } = status ?? {};
  if (outcome !== undefined) return { text: outcome.failure === undefined ? 'listed' : 'not listed' };
  if (upkeep?.job === undefined) return { text: 'waits for its turn' };
  if (upkeep.work !== 'Catalogue') return { text: `waits for the Job ${upkeep.job} to end` };
  const at = catalogue?.next === undefined ? '' : `, at ${catalogue.next}`;
  return { text: `lists the repository${at}` };
}

/** The outcome for people. */
export function importedLines(name: string, { catalogue, failure }: ImportOutcome): readonly string[] {
  if (failure !== undefined) return [`${name}: ${failure.reason}: ${failure.message}`];
  if (catalogue === undefined) return [];
  const { backups, storedBytes, imported, dataWithoutObject, objectsWithoutData, unreadable } = catalogue;
  const left = [
    ...(dataWithoutObject > 0
      ? [
          `${dataWithoutObject} have no VMBackup: their namespace is not there or not allowed, the VM has 100 already, or the API server refused it (event ImportRefused)`,
        ]
      : []),
    ...(objectsWithoutData > 0 ? [`${objectsWithoutData} VMBackups have no data any more`] : []),
    ...(unreadable > 0 ? [`${unreadable} directories cannot be read`] : []),
  ];
  return [
    `${name}: ${backups} backups, ${humanSize(storedBytes)}; ${imported} imported now`,
    ...left.map((line) => `  ${line}`),
    ...(left.length > 0 ? [`  kubectl describe tmrepo ${name} names some`] : []),
  ];
}
