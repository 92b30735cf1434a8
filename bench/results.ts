import type { Measured } from './measure.ts';

/** All runs of one contender in one scenario, in the order of the rounds. */
export interface Runs {
  readonly name: string;
  readonly runs: readonly Measured[];
}

export interface ScenarioResult {
  readonly name: string;
  readonly dataBytes: number;
  readonly contenders: readonly Runs[];
}

/** A contender in medians. */
export interface Summary {
  readonly name: string;
  readonly seconds: number;
  readonly fastestSeconds: number;
  readonly megabytesPerSecond: number;
  readonly cpuSeconds: number;
  readonly serverCpuSeconds: number;
  readonly peakRssBytes: number;
  readonly storedBytes: number;
  /** How often faster the first contender was, run by run of the same round; 1 for itself. */
  readonly timesSlower: number;
  /** The same of all CPU time, server's included: steadier on a busy machine. */
  readonly timesCpu: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function summarize({ dataBytes, contenders }: ScenarioResult): Summary[] {
  const [first] = contenders;
  return contenders.map(({ name, runs }) => {
    const of = (pick: (run: Measured) => number): number => median(runs.map(pick));
    const against = (pick: (run: Measured) => number): number =>
      median(runs.map((run, round) => pick(run) / pick(first!.runs[round]!)));
    const seconds = of((run) => run.seconds);
    return {
      name,
      seconds,
      fastestSeconds: Math.min(...runs.map((run) => run.seconds)),
      megabytesPerSecond: dataBytes / 1e6 / seconds,
      cpuSeconds: of((run) => run.cpuSeconds),
      serverCpuSeconds: of((run) => run.serverCpuSeconds),
      peakRssBytes: of((run) => run.peakRssBytes),
      storedBytes: of((run) => run.storedBytes),
      timesSlower: against((run) => run.seconds),
      timesCpu: against((run) => run.cpuSeconds + run.serverCpuSeconds),
    };
  });
}

const HEAD = ['', 'seconds', 'MB/s', 'CPU s', 'server CPU s', 'peak RSS', 'stored', '× time', '× CPU'];

/** One scenario as a Markdown table, which reads well in a terminal, too. */
export function formatScenario(result: ScenarioResult): string {
  const rows = summarize(result).map((row) => [
    row.name,
    row.seconds.toFixed(2),
    row.megabytesPerSecond.toFixed(0),
    row.cpuSeconds.toFixed(2),
    row.serverCpuSeconds.toFixed(2),
    mebibytes(row.peakRssBytes),
    mebibytes(row.storedBytes),
    row.timesSlower.toFixed(2),
    row.timesCpu.toFixed(2),
  ]);
  const widths = HEAD.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line([result.name, ...HEAD.slice(1)]), line(rule), ...rows.map(line)].join('\n');
}

/** Where and when the numbers were taken. */
export interface Machine {
  readonly at: string;
  readonly node: string;
  readonly cpu: string;
  readonly rounds: number;
  readonly dataBytes: number;
  readonly loadBefore: number;
  readonly loadAfter: number;
}

/** All tables, and what they were taken on. */
export function formatPage({
  machine,
  results,
}: {
  readonly machine: Machine;
  readonly results: readonly ScenarioResult[];
}): string {
  const { at, node, cpu, rounds, dataBytes, loadBefore, loadAfter } = machine;
  const command = `node bench/main.ts --save --rounds ${rounds} --gib ${dataBytes / 2 ** 30}`;
  const how = `\`${command}\` on ${at.slice(0, 10)}: Node ${node}, ${cpu}, load average ${loadBefore.toFixed(1)} before and ${loadAfter.toFixed(1)} after. Medians; "×" is against the first line.`;
  return `${[how, ...results.map(formatScenario)].join('\n\n')}\n`;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
