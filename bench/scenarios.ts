import { existsSync, mkdirSync, truncateSync } from 'node:fs';
import type { Bench, Served } from './bench.ts';
import { makeDisk, noise, scatteredWrites, systemFiles } from './data.ts';

/** One program doing the work. `output` is what it makes, and is removed after each run. */
export interface Contender {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly output: string;
}

/** One piece of work, and who does it; ours first. */
export interface Scenario {
  readonly name: string;
  /** What the rate counts: bytes of data to be moved. */
  readonly dataBytes: number;
  readonly server: number | null;
  readonly contenders: readonly Contender[];
}

export type Mover = readonly [string, ...string[]];
type Make = (bench: Bench, mover: Mover, dataBytes: number) => Promise<Scenario>;

const CHANGES = 1024;
const CHANGED_BYTES = CHANGES * 65536;

const ours = (mover: Mover, name: string, output: string, ...args: readonly string[]): Contender => ({
  name,
  command: [...mover, ...args],
  output,
});

const convert = (bench: Bench, uri: string, ...options: readonly string[]): Contender => {
  const output = bench.at('out.qcow2');
  const how = ['convert', ...options, '-W', '-m', '8', '-f', 'raw', '-O', 'qcow2'];
  return {
    name: `qemu-img ${['convert', ...options].join(' ')} -W -m 8`,
    command: ['qemu-img', ...how, uri, output],
    output,
  };
};

const backupArgs = (source: Served, to: string, ...more: readonly string[]): string[] => [
  ...['backup', '--source', source.uri, '--volume', 'vda', '--to', to],
  ...more,
];

async function noiseDisk(bench: Bench, dataBytes: number): Promise<Served> {
  const path = bench.at('noise.raw');
  if (!existsSync(path)) makeDisk(path, dataBytes, noise);
  return await bench.serve('noise.raw', 'raw');
}

const full: Make = async (bench, mover, dataBytes) => {
  const source = await noiseDisk(bench, dataBytes);
  const raw = bench.at('out.raw');
  const out = bench.at('full');
  return {
    name: 'full',
    dataBytes,
    server: source.pid,
    contenders: [
      ours(mover, 'tidemark', out, ...backupArgs(source, out)),
      { name: 'nbdcopy to raw', command: ['nbdcopy', source.uri, raw], output: raw },
      convert(bench, source.uri),
    ],
  };
};

const fullZstd: Make = async (bench, mover, dataBytes) => {
  makeDisk(bench.at('system.raw'), dataBytes / 2, systemFiles('/usr'));
  const source = await bench.serve('system.raw', 'raw');
  const out = bench.at('zstd');
  return {
    name: 'full, zstd',
    dataBytes: dataBytes / 2,
    server: source.pid,
    contenders: [
      ours(mover, 'tidemark', out, ...backupArgs(source, out, '--compress', 'zstd')),
      convert(bench, source.uri, '-c', '-o', 'compression_type=zstd'),
    ],
  };
};

/**
 * A thin disk, an eighth of it data: beneath KubeVirt's overlay, which calls all of it data, and by itself, where the server
 * knows its holes. What lies between the two is what it costs to find zeros by reading them.
 */
const thin: Make = async (bench, mover, dataBytes) => {
  const bytes = dataBytes / 4;
  const how = `data_file=${bench.at('thin.raw')},data_file_raw=on,cluster_size=256K`;
  // First, because it empties the data file.
  bench.tool('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-o',
    how,
    bench.at('cbt.qcow2'),
    String(bytes * 8),
  ]);
  makeDisk(bench.at('thin.raw'), bytes, noise);
  truncateSync(bench.at('thin.raw'), bytes * 8);
  const raw = await bench.serve('thin.raw', 'raw');
  const overlay = await bench.serve('cbt.qcow2', 'qcow2');
  const [whole, holes] = [bench.at('whole'), bench.at('holes')];
  return {
    name: 'full of a thin disk',
    dataBytes: bytes,
    server: null,
    contenders: [
      ours(mover, 'tidemark, overlay that knows no holes', whole, ...backupArgs(overlay, whole)),
      ours(mover, 'tidemark, holes known', holes, ...backupArgs(raw, holes)),
      convert(bench, overlay.uri),
    ],
  };
};

/** The same changes on a small disk and on a very large one: each counts as a contender of the other. */
const incremental: Make = async (bench, mover) => {
  const contenders: Contender[] = [];
  mkdirSync(bench.at('chains'));
  for (const [name, bytes] of [
    ['4 GiB', 2 ** 32],
    ['1 TiB', 2 ** 40],
  ] as const) {
    const image = bench.at(`${bytes}.qcow2`);
    const parent = bench.at(`chains/${bytes}`);
    const out = bench.at(`chains/${bytes}-changes`);
    bench.tool('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(bytes)]);
    const before = await bench.serve(`${bytes}.qcow2`, 'qcow2');
    bench.tool(mover[0], [...mover.slice(1), ...backupArgs(before, parent)]);
    process.kill(before.pid);
    bench.tool('qemu-img', ['bitmap', '--add', '-g', '65536', image, 'changes']);
    bench.tool('qemu-io', [image], scatteredWrites(CHANGES, bytes));
    const source = await bench.serve(`${bytes}.qcow2`, 'qcow2', 'changes');
    const since = ['--bitmap', 'changes', '--parent', parent];
    contenders.push(ours(mover, `tidemark, disk of ${name}`, out, ...backupArgs(source, out, ...since)));
  }
  return { name: 'incremental, 1,024 changes', dataBytes: CHANGED_BYTES, server: null, contenders };
};

const restore: Make = async (bench, mover, dataBytes) => {
  const source = await noiseDisk(bench, dataBytes);
  const from = bench.at('stored');
  bench.tool(mover[0], [...mover.slice(1), ...backupArgs(source, from)]);
  const [raw, theirs] = [bench.at('restored.raw'), bench.at('converted.raw')];
  const how = ['convert', '-W', '-m', '16', '-f', 'qcow2', '-O', 'raw'];
  return {
    name: 'restore',
    dataBytes,
    server: null,
    contenders: [
      ours(mover, 'tidemark', raw, 'restore', '--from', from, '--volume', 'vda', '--to', raw),
      {
        name: 'qemu-img convert -W -m 16',
        command: ['qemu-img', ...how, `${from}/vda.qcow2`, theirs],
        output: theirs,
      },
    ],
  };
};

export const scenarios: ReadonlyMap<string, Make> = new Map([
  ['full', full],
  ['incremental', incremental],
  ['restore', restore],
  ['zstd', fullZstd],
  ['thin', thin],
]);
