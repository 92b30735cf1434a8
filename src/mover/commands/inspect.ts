import { resolve } from 'node:path';
import { readArguments } from '../arguments.ts';
import { CheckFailed, ExitCode } from '../errors.ts';
import { inspectBackup } from '../repository/inspect.ts';
import { readManifest } from '../repository/manifest-file.ts';
import { formatBytes, formatTable, writeResult } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = 'inspect DIR [--definitions] [--json]';
const flag = { type: 'boolean', default: false } as const;

/**
 * Says what a backup holds, and whether all that a restore or the next incremental needs is there. With `--definitions` it asks for a
 * restore, which may want only some of the volumes: it fails only if nothing at all can be told.
 */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(args, { definitions: flag, json: flag }, 1, USAGE);
  const directory = resolve(positionals[0]!);
  const inspected = await inspectBackup(directory);
  if (values.definitions && !inspected.backup) {
    const reason = (inspected.reason ?? 'BackupDataMissing').replace(/^Parent/, 'Backup');
    throw new CheckFailed(reason, inspected.message ?? `${directory} holds no backup`);
  }
  const result =
    values.definitions && inspected.backup
      ? { ...inspected, definitions: (await readManifest(directory)).definitions }
      : inspected;
  const rows = result.volumes.map(
    ({ name, type, virtualSizeBytes, dataBytes, chainLength, reason, message }) =>
      reason
        ? [name, type, reason, message ?? '']
        : [name, type, formatBytes(virtualSizeBytes), formatBytes(dataBytes), `chain of ${chainLength}`],
  );
  const words = result.backup ? formatTable(rows) : `${result.reason}: ${result.message}`;
  writeResult(world, values.json, result, words);
  return result.usable || values.definitions ? ExitCode.ok : ExitCode.checkFailed;
}
