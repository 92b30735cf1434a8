#!/usr/bin/env node
/**
 * `make bench`: the mover beside its peers on this machine. Every round runs all contenders one after another, so that what
 * else the machine does falls on all of them; what is told is medians, and ratios of runs of the same round.
 *
 *     node bench/main.ts [full] [incremental] [restore] [zstd] [thin] [--rounds 5] [--gib 2] [--dir /dev/shm] [--save]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from '../hack/build/bundle.ts';
import { programs } from '../hack/build/programs.ts';
import { Bench } from './bench.ts';
import { drawChart } from './chart.ts';
import { warmMemory } from './data.ts';
import { type Measured, measure } from './measure.ts';
import { formatPage, formatScenario, type ScenarioResult } from './results.ts';
import { type Scenario, scenarios } from './scenarios.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    gib: { type: 'string', default: '2' },
    dir: { type: 'string', default: '/dev/shm' },
    save: { type: 'boolean', default: false },
  },
});
const root = join(import.meta.dirname, '..');
const names = positionals.length > 0 ? positionals : [...scenarios.keys()];
const rounds = Number(values.rounds);
const dataBytes = Number(values.gib) * 2 ** 30;

const machine = {
  at: new Date().toISOString(),
  node: process.version,
  kernel: release(),
  cpu: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
  memoryBytes: totalmem(),
  directory: values.dir,
  rounds,
  dataBytes,
  loadBefore: loadavg()[0] ?? 0,
};
const results: ScenarioResult[] = [];
await using bench = new Bench(values.dir);
// With the threads that it starts from files of their own.
const own = Object.entries(programs).filter(([name]) => name.startsWith('mover'));
await bundle(root, bench.at('dist'), Object.fromEntries(own));
const mover = [process.execPath, bench.at('dist/mover.js')] as const;
for (const name of names) {
  const make = scenarios.get(name);
  if (!make) throw new Error(`there is no scenario "${name}", only ${[...scenarios.keys()].join(', ')}`);
  const result = await run(await make(bench, mover, dataBytes));
  console.log(`\n${formatScenario(result)}`);
  results.push(result);
}
if (values.save) save();

async function run({ name, dataBytes: bytes, server, contenders }: Scenario): Promise<ScenarioResult> {
  const runs = contenders.map(() => [] as Measured[]);
  for (let round = 0; round < rounds; round++) {
    // Each round begins with another contender: nobody is always the first one after a pause.
    for (let i = 0; i < contenders.length; i++) {
      const turn = (i + round) % contenders.length;
      const { command, output } = contenders[turn]!;
      warmMemory(bench.at('warm'), bytes * 1.1);
      process.stderr.write(`\r${name}: round ${round + 1} of ${rounds}, ${contenders[turn]!.name}\x1b[K`);
      runs[turn]!.push(await measure(command, output, server));
      rmSync(output, { recursive: true });
    }
  }
  process.stderr.write('\r\x1b[K');
  return {
    name,
    dataBytes: bytes,
    contenders: contenders.map((contender, i) => ({ name: contender.name, runs: runs[i]! })),
  };
}

/** The numbers that docs/performance.md shows. */
function save(): void {
  const directory = join(root, 'docs/performance');
  mkdirSync(directory, { recursive: true });
  const all = { machine: { ...machine, loadAfter: loadavg()[0] ?? 0 }, results };
  writeFileSync(join(directory, 'results.json'), `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(join(directory, 'chart.svg'), drawChart(results));
  writeFileSync(join(directory, 'results.md'), formatPage(all));
}
