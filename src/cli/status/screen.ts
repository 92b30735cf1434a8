import { ago, until } from '../screen/span.ts';
import type { Painter, Styled } from '../screen/style.ts';
import { tableLines } from '../screen/table.ts';
import type { Current, LastFailure, Protection, VmStatus } from './vm-status.ts';

export interface ScreenOptions {
  /** Whether more than one namespace is shown. */
  readonly allNamespaces: boolean;
  readonly paint: Painter;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const HEADINGS = ['VM', 'PROTECTED BY', 'LAST GOOD', 'TYPE', 'POSITION', 'NOW', 'LAST FAILURE', 'NEXT RUN'];
const NONE: Styled = { text: '-', tone: 'dim' };

/** The report for people: a table, and under it a line for each VM that needs someone. */
export function statusLines(report: readonly VmStatus[], options: ScreenOptions): readonly string[] {
  if (report.length === 0) return ['There is no VirtualMachine here, and no backup of one.'];
  const { allNamespaces, paint, now } = options;
  const headings = [...(allNamespaces ? ['NAMESPACE'] : []), ...HEADINGS];
  const rows = report.map((status) => [
    ...(allNamespaces ? [{ text: status.namespace }] : []),
    ...row(status, now),
  ]);
  const notes = report.flatMap((status) => noteLines(status, options));
  return [...tableLines(headings, rows, paint), ...(notes.length === 0 ? [] : ['', ...notes])];
}

function row(status: VmStatus, now: number): readonly Styled[] {
  const { lastGood, current, lastFailure, nextRun } = status;
  return [
    {
      text: status.exists ? status.vm : `${status.vm} (no such VM)`,
      tone: status.exists ? undefined : 'dim',
    },
    protectionCell(status),
    lastGood === undefined
      ? { text: 'never', tone: status.exists ? 'bad' : 'dim' }
      : { text: ago(lastGood.at, now), tone: 'good' },
    lastGood === undefined ? NONE : { text: lastGood.type },
    lastGood === undefined ? NONE : { text: String(lastGood.position) },
    current === undefined ? NONE : currentCell(current),
    lastFailure === undefined ? NONE : failureCell(lastFailure, status.exists, now),
    nextRun === undefined ? NONE : { text: until(nextRun, now) },
  ];
}

function protectionCell({ protectedBy, needs }: VmStatus): Styled {
  const text = protectedBy.map(nameOf).join(', ') || 'nothing';
  return { text, tone: needs.includes('Unprotected') ? 'bad' : undefined };
}

function nameOf({ schedule, state }: Protection): string {
  return state === 'Active' ? schedule : `${schedule} (${state.toLowerCase()})`;
}

function currentCell({ state, percent, reason }: Current): Styled {
  const detail = percent === undefined ? reason && ` (${reason})` : ` ${percent}%`;
  return {
    text: `${state}${detail ?? ''}`,
    tone: state === 'Pending' || state === 'Retrying' ? 'warn' : undefined,
  };
}

function failureCell({ reason, at, isOvercome }: LastFailure, matters: boolean, now: number): Styled {
  return { text: `${reason}, ${ago(at, now)}`, tone: isOvercome || !matters ? 'dim' : 'bad' };
}

function noteLines(status: VmStatus, { allNamespaces, paint }: ScreenOptions): readonly string[] {
  const name = allNamespaces ? `${status.namespace}/${status.vm}` : status.vm;
  return notesOf(status).map((note) => `${paint({ text: name, tone: 'bold' })}: ${paint({ text: note })}`);
}

/** What someone should know, and what to do about it. */
function notesOf(status: VmStatus): readonly string[] {
  return status.exists ? [...needNotes(status), ...backupNotes(status)] : absenceNotes(status);
}

function absenceNotes({ protectedBy }: VmStatus): readonly string[] {
  if (protectedBy.length === 0) return [];
  const names = protectedBy.map(nameOf).join(', ');
  return [
    `there is no such VirtualMachine, and vmNames of ${names} lists it: correct the name, or make the VM.`,
  ];
}

function needNotes({ needs, protectedBy }: VmStatus): readonly string[] {
  const idle = protectedBy.map(nameOf).join(', ');
  const unprotected =
    idle === ''
      ? "no VMBackupSchedule takes it: add it to a schedule's vmNames, or give it the labels of a vmSelector."
      : `only ${idle} would take it: resume or correct the schedule.`;
  return [
    ...(needs.includes('Unprotected') ? [unprotected] : []),
    ...(needs.includes('NoGoodBackup') ? ['there is no good backup to restore it from.'] : []),
  ];
}

function backupNotes({ namespace, lastFailure, current }: VmStatus): readonly string[] {
  const tellsMore = (name: string) => `(kubectl tidemark why -n ${namespace} ${name})`;
  const notes: string[] = [];
  if (lastFailure !== undefined && !lastFailure.isOvercome) {
    notes.push(`its last backup failed: ${lastFailure.message} ${tellsMore(lastFailure.name)}`);
  }
  if (current?.message !== undefined) {
    notes.push(`a backup is ${current.state.toLowerCase()}: ${current.message} ${tellsMore(current.name)}`);
  }
  return notes;
}
