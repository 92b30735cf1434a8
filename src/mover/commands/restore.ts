import { readArguments, required } from '../arguments.ts';
import { ExitCode } from '../errors.ts';
import { restoreVolume } from '../restore.ts';
import { formatBytes, writeResult } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = 'restore --from DIR --volume NAME --to PATH-OR-DEVICE [--json]';
const text = { type: 'string' } as const;
const options = { from: text, volume: text, to: text, json: { type: 'boolean', default: false } } as const;

/** Writes a disk, as it was at one backup, to a raw file or a block device. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values } = readArguments(args, options, 0, USAGE);
  const from = required(values.from, 'from', USAGE);
  const volume = required(values.volume, 'volume', USAGE);
  const to = required(values.to, 'to', USAGE);
  const restored = await restoreVolume({ from, volume, to }, world.abort.signal);
  const words = `restored ${volume} (${formatBytes(restored.virtualSizeBytes)}) to ${to} from a chain of ${restored.chainLength}`;
  writeResult(world, values.json, { event: 'result', command: 'restore', volume, to, ...restored }, words);
  return ExitCode.ok;
}
