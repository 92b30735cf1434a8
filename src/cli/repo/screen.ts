import { humanSize } from '../../domain/columns.ts';
import { ago } from '../screen/span.ts';
import type { Painter, Styled } from '../screen/style.ts';
import { tableLines } from '../screen/table.ts';
import type { Holding } from './holdings.ts';
import type { RepositorySummary } from './summary.ts';

export interface ScreenOptions {
  readonly paint: Painter;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const HEADINGS = ['REPOSITORY', 'READY', 'FREE', 'BACKUPS', 'STORED', 'LISTED', 'DAMAGED', 'ALL VERIFIED'];
const UNKNOWN: Styled = { text: '-', tone: 'dim' };

/** The repositories as a table, and under it a line for whatever someone must look at. */
export function repositoryLines(
  summaries: readonly RepositorySummary[],
  { paint, now }: ScreenOptions,
): readonly string[] {
  if (summaries.length === 0) return ['There is no VMBackupRepository in this cluster.'];
  const notes = summaries.flatMap(({ name, messages }) =>
    Object.values(messages).map(
      (message) => `${paint({ text: name, tone: 'bold' })}: ${paint({ text: message })}`,
    ),
  );
  const rows = summaries.map((summary) => row(summary, now));
  return [...tableLines(HEADINGS, rows, paint), ...(notes.length === 0 ? [] : ['', ...notes])];
}

/** What the VMs have in one repository, as a table. */
export function holdingLines(holdings: readonly Holding[], { paint, now }: ScreenOptions): readonly string[] {
  if (holdings.length === 0) return ['No VMBackup that you may see has data in it.'];
  const rows = holdings.map(
    ({ namespace, vm, backups, imported, storedBytes, newest }): readonly Styled[] => [
      { text: namespace },
      { text: vm, tone: 'bold' },
      { text: String(backups) },
      imported === 0 ? UNKNOWN : { text: String(imported) },
      { text: humanSize(storedBytes) },
      { text: ago(newest, now) },
    ],
  );
  return tableLines(['NAMESPACE', 'VM', 'BACKUPS', 'IMPORTED', 'STORED', 'NEWEST'], rows, paint);
}

function row(summary: RepositorySummary, now: number): readonly Styled[] {
  const { name, ready, freeBytes, backups, storedBytes, listedAt, damaged, scrubbedAt, needs } = summary;
  const age = (time: string | undefined): Styled => (time === undefined ? UNKNOWN : { text: ago(time, now) });
  return [
    { text: name, tone: 'bold' },
    ready ? { text: 'yes', tone: 'good' } : { text: 'no', tone: 'bad' },
    freeBytes === undefined
      ? UNKNOWN
      : { text: humanSize(freeBytes), tone: needs.includes('LowSpace') ? 'warn' : undefined },
    backups === undefined
      ? UNKNOWN
      : { text: String(backups), tone: needs.includes('Drift') ? 'warn' : undefined },
    storedBytes === undefined ? UNKNOWN : { text: humanSize(storedBytes) },
    age(listedAt),
    damaged === undefined ? UNKNOWN : { text: String(damaged), tone: damaged > 0 ? 'bad' : undefined },
    age(scrubbedAt),
  ];
}
