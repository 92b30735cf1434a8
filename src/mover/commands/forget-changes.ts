import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readArguments } from '../arguments.ts';
import { isMissing } from '../errno.ts';
import { ExitCode, UsageError } from '../errors.ts';
import { syncDirectory } from '../repository/durable.ts';
import { targetError } from '../target-error.ts';
import { writeResult } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = 'forget-changes DIR --volume NAME... [--json]';
const options = {
  volume: { type: 'string', multiple: true },
  json: { type: 'boolean', default: false },
} as const;

/**
 * Removes the overlays in which changes of raw disks were noted, DIR/NAME.qcow2: they lie over other disks from now on. One that was
 * kept would do worse than tell wrong changes: what the guest had zeroed or discarded is marked in it as zeros, and hides what
 * the new disk holds there. Whoever starts the VM makes new ones.
 */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(args, options, 1, USAGE);
  const directory = resolve(positionals[0]!);
  const volumes = values.volume ?? [];
  const odd = volumes.find((name) => !/^[a-z0-9]([a-z0-9.-]*)$/.test(name));
  if (odd !== undefined) throw new UsageError('UsageError', `"${odd}" is not the name of a volume`);
  const removed: string[] = [];
  for (const name of volumes) if (await remove(join(directory, `${name}.qcow2`))) removed.push(name);
  if (removed.length > 0) await syncDirectory(directory);
  const words = removed.length === 0 ? 'nothing to forget' : `forgot the changes of ${removed.join(', ')}`;
  writeResult(world, values.json, { event: 'result', command: 'forget-changes', directory, removed }, words);
  return ExitCode.ok;
}

/** @returns whether it was there */
async function remove(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw targetError('remove', path, error);
  }
}
