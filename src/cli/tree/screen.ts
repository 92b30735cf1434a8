import { humanSize } from '../../domain/columns.ts';
import { ago } from '../screen/span.ts';
import type { Painter, Styled } from '../screen/style.ts';
import { tableLines } from '../screen/table.ts';
import type { Chain, Other, Point, Tree } from './chains.ts';

export interface ScreenOptions {
  readonly paint: Painter;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The chains of a VM, drawn: repositories, the chains in them, and the backups of each chain, oldest first. */
export function treeLines(tree: Tree, { paint, now }: ScreenOptions): readonly string[] {
  const { vm, namespace, chains, others } = tree;
  if (chains.length === 0 && others.length === 0)
    return [`There is no backup of VirtualMachine '${vm}' in namespace '${namespace}'.`];
  const points = chains.flatMap((chain) => chain.points);
  const bytes = chains.reduce((sum, chain) => sum + chain.storedBytes, 0);
  const total = `${count(points.length, 'good backup')} in ${count(chains.length, 'chain')}, ${humanSize(bytes)} stored`;
  // One table for all, so that the columns of all chains stand under each other.
  const cells = tableLines(
    [],
    points.map((point) => cellsOf(point, now)),
    paint,
  );
  const rows = new Map(points.map((point, index) => [point, cells[index] ?? '']));
  const byRepository = [...Map.groupBy(chains, ({ repository }) => repository)];
  return [
    `${paint({ text: vm, tone: 'bold' })} in ${namespace}: ${total}`,
    ...byRepository.flatMap(([repository, its], index) =>
      branch(
        [paint({ text: repository, tone: 'bold' }), ...chainsLines(its, rows, { paint, now })],
        index === byRepository.length - 1,
      ),
    ),
    ...otherLines(others, paint),
  ];
}

function chainsLines(
  chains: readonly Chain[],
  rows: ReadonlyMap<Point, string>,
  options: ScreenOptions,
): readonly string[] {
  return chains.flatMap((chain, index) =>
    branch(chainLines(chain, rows, options), index === chains.length - 1),
  );
}

function chainLines(chain: Chain, rows: ReadonlyMap<Point, string>, { paint, now }: ScreenOptions): string[] {
  const begun = chain.points[0] === undefined ? '' : ` begun ${ago(chain.points[0].at, now)},`;
  const notes = [
    ...(chain.isOfThisVm ? [] : ['of an earlier VM of this name']),
    ...(chain.missing.length === 0
      ? []
      : [
          `no VMBackup tells of position ${chain.missing.join(', ')}: the data may still be in the repository`,
        ]),
  ];
  const tail = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
  const title = `chain ${chain.id.slice(0, 8)},${begun} ${humanSize(chain.storedBytes)}`;
  const points = chain.points.map((point) => rows.get(point) ?? '');
  return [
    paint({ text: title, tone: chain.isOfThisVm ? undefined : 'dim' }) + paint({ text: tail, tone: 'warn' }),
    ...points.flatMap((line, index) => branch([line], index === points.length - 1)),
  ];
}

function cellsOf(point: Point, now: number): readonly Styled[] {
  const { position, type, reason, at, storedBytes, fullDisks, isBeingDeleted } = point;
  const disks = fullDisks.length === 0 ? '' : ` (full: ${fullDisks.join(', ')})`;
  return [
    { text: String(position), tone: 'dim' },
    { text: type, tone: type === 'Full' ? 'bold' : undefined },
    { text: storedBytes === undefined ? '-' : humanSize(storedBytes) },
    { text: ago(at, now) },
    {
      text: point.name + (isBeingDeleted ? ' (being deleted)' : ''),
      tone: isBeingDeleted ? 'warn' : undefined,
    },
    { text: `${reason}${disks}`, tone: isFallback(reason) || disks !== '' ? 'warn' : 'dim' },
  ];
}

/** Whether a full was not wanted, but needed: something was lost. */
function isFallback(reason: string): boolean {
  return /Missing|Lost|Inconsistent|Damaged/.test(reason);
}

function otherLines(others: readonly Other[], paint: Painter): readonly string[] {
  if (others.length === 0) return [];
  const rows = others.map(({ name, state, reason }): readonly Styled[] => [
    { text: name },
    { text: state, tone: state === 'Failed' ? 'bad' : 'warn' },
    { text: reason ?? '' },
  ]);
  return [
    '',
    paint({ text: 'Without data', tone: 'bold' }),
    ...tableLines([], rows, paint).map((line) => `  ${line.trimEnd()}`),
  ];
}

/** Hangs a block under what stands above it. */
function branch([first = '', ...rest]: readonly string[], isLast: boolean): string[] {
  return [`${isLast ? '└─' : '├─'} ${first}`, ...rest.map((line) => `${isLast ? '  ' : '│ '} ${line}`)];
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
