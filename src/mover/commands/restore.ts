import type { RestoreResult } from '../../domain/mover-report.ts';
import { parseBytes, readArguments, required } from '../arguments.ts';
import { ExitCode } from '../errors.ts';
import { restoreVolume } from '../restore.ts';
import { formatBytes, formatSeconds, progressMeter, writeResult } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = 'restore --from DIR --volume NAME --to PATH-OR-DEVICE [--overwrite] [--limit 200Mi] [--json]';
const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const options = { from: text, volume: text, to: text, limit: text, overwrite: flag, json: flag } as const;

/** Writes a disk, as it was at one backup, to a raw file or a block device. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values } = readArguments(args, options, 0, USAGE);
  const { json, overwrite } = values;
  const from = required(values.from, 'from', USAGE);
  const volume = required(values.volume, 'volume', USAGE);
  const to = required(values.to, 'to', USAGE);
  const limitBytesPerSecond = values.limit === undefined ? undefined : parseBytes(values.limit, 'limit');
  const request = { from, volume, to, overwrite, limitBytesPerSecond };
  const startedAt = world.now().getTime();
  const restored = await restoreVolume(request, progressMeter(world, json), world.abort.signal);
  const milliseconds = Math.max(0, world.now().getTime() - startedAt);
  const words =
    `restored ${volume} (${formatBytes(restored.virtualSizeBytes)}, ${formatBytes(restored.bytesWritten)} of them written) ` +
    `to ${to} from a chain of ${restored.chainLength} in ${formatSeconds(milliseconds / 1000)}`;
  const result: RestoreResult = {
    event: 'result',
    command: 'restore',
    volume,
    to,
    ...restored,
    milliseconds,
  };
  writeResult(world, json, result, words);
  return ExitCode.ok;
}
