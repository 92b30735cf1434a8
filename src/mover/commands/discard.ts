import { resolve } from 'node:path';
import { BackupId } from '../../domain/manifest.ts';
import { readArguments, required } from '../arguments.ts';
import { ExitCode, UsageError } from '../errors.ts';
import { discardAttempts } from '../repository/incoming.ts';
import { writeResult } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = 'discard DIR --attempts-of BACKUP-ID [--json]';
const options = { 'attempts-of': { type: 'string' }, json: { type: 'boolean', default: false } } as const;

/** Removes the incoming directories that dead attempts of one backup left beside it. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(args, options, 1, USAGE);
  const directory = resolve(positionals[0]!);
  const id = BackupId.safeParse(required(values['attempts-of'], 'attempts-of', USAGE));
  if (!id.success) throw new UsageError('UsageError', `"${values['attempts-of']}" is not a backup id`);
  const removed = await discardAttempts(directory, id.data);
  const words =
    removed.length === 0 ? 'nothing to discard' : removed.map((name) => `removed ${name}`).join('\n');
  writeResult(world, values.json, { event: 'result', command: 'discard', directory, removed }, words);
  return ExitCode.ok;
}
