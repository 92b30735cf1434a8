import type { ListedBackup } from '../../crds/vmbackuplisting.ts';
import { humanSize } from '../../domain/columns.ts';
import { placeOf } from '../../domain/upkeep/imported.ts';
import { ago } from '../screen/span.ts';
import type { Styled } from '../screen/style.ts';
import { tableLines } from '../screen/table.ts';
import type { ScreenOptions } from './screen.ts';

const HEADINGS = ['NAMESPACE', 'VM', 'TAKEN', 'AGE', 'TYPE', 'CHAIN', 'POS', 'STORED', 'VMBACKUP', 'PATH'];
const NONE: Styled = { text: '-', tone: 'dim' };

/** The single backups in a repository, as a table; beneath it what is wrong with some, and how to restore what has no VMBackup. */
export function backupLines(
  repository: string,
  backups: readonly ListedBackup[],
  { paint, now }: ScreenOptions,
): readonly string[] {
  if (backups.length === 0) return [`There is nothing in '${repository}' that you may see.`];
  const bytes = backups.reduce((sum, { storedBytes = 0 }) => sum + storedBytes, 0);
  const damaged = backups.flatMap(({ path, damage }) =>
    damage === undefined
      ? []
      : [`${paint({ text: path, tone: 'bad' })}: ${damage.reason}: ${paint({ text: damage.message })}`],
  );
  const alone = backups.filter(({ backupName, type }) => backupName === undefined && type !== undefined);
  const hint = `kubectl tidemark restore --from ${repository}:PATH --to NAME (or --in-place, or --disks)`;
  return [
    ...tableLines(
      HEADINGS,
      backups.map((backup) => row(backup, now)),
      paint,
    ),
    '',
    `${backups.length} ${backups.length === 1 ? 'backup' : 'backups'}, ${humanSize(bytes)}`,
    ...(alone.length === 0 ? [] : [`${alone.length} without a VMBackup: ${hint}`]),
    ...damaged,
  ];
}

function row({ path, vmName, createdAt, chain, ...backup }: ListedBackup, now: number): readonly Styled[] {
  const { type, storedBytes, backupName, imported, damage } = backup;
  const text = (found: string | undefined): Styled => (found === undefined ? NONE : { text: found });
  return [
    { text: placeOf(path).namespace },
    vmName === undefined ? NONE : { text: vmName, tone: 'bold' },
    text(createdAt?.replace(/\.\d+Z$/, 'Z')),
    text(createdAt && ago(createdAt, now)),
    text(type),
    text(chain?.id.slice(0, 8)),
    text(chain && String(chain.position)),
    text(storedBytes === undefined ? undefined : humanSize(storedBytes)),
    backupName === undefined ? NONE : { text: imported ? `${backupName} (imported)` : backupName },
    { text: path, tone: damage === undefined ? undefined : 'bad' },
  ];
}
