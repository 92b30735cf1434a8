import { resolve } from 'node:path';
import { readArguments } from '../arguments.ts';
import { ExitCode } from '../errors.ts';
import { verifyBackup } from '../repository/verify.ts';
import { formatBytes, progressMeter, writeResult } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = 'verify DIR [--chain] [--json]';
const flag = { type: 'boolean', default: false } as const;

/** Reads a backup, or its whole chain, and names each volume and range that is not what was written. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(args, { chain: flag, json: flag }, 1, USAGE);
  const json = values.json;
  const directory = resolve(positionals[0]!);
  const options = { wholeChain: values.chain, meter: progressMeter(world, json) };
  const { backups, bytesRead, faults } = await verifyBackup(directory, options, world.abort.signal);
  const found = faults.map(({ reason, volume, path, message }) => ({ reason, volume, path, message }));
  const result = {
    event: 'result',
    command: 'verify',
    directory,
    good: found.length === 0,
    backups,
    bytesRead,
    faults: found,
  };
  const words = found.map(({ volume, message }) => `${volume ? `volume ${volume}: ` : ''}${message}`);
  const summary = `${backups} backup${backups === 1 ? '' : 's'}, ${formatBytes(bytesRead)} read`;
  words.push(
    found.length === 0
      ? `good: ${summary}`
      : `${found.length} fault${found.length === 1 ? '' : 's'}: ${summary}`,
  );
  writeResult(world, json, result, words.join('\n'));
  return found.length === 0 ? ExitCode.ok : ExitCode.checkFailed;
}
