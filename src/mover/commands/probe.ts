import { resolve } from 'node:path';
import { readArguments } from '../arguments.ts';
import { ExitCode } from '../errors.ts';
import { probe } from '../repository/probe.ts';
import { formatBytes, writeResult } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = 'probe DIR [--json]';
const PROBE_BYTES = 4096;

/** Tries a repository out: can it be written, synced, renamed in, read; how long does that take; how much room is there. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(
    args,
    { json: { type: 'boolean', default: false } },
    1,
    USAGE,
  );
  const context = {
    now: () => world.now().getTime(),
    content: world.randomBytes(PROBE_BYTES),
    unique: world.randomId(),
  };
  const result = await probe(resolve(positionals[0]!), context);
  const room = `${formatBytes(result.freeBytes)} free of ${formatBytes(result.totalBytes)}`;
  writeResult(world, values.json, result, `ready: ${room}, ${result.latencyMilliseconds} ms`);
  return ExitCode.ok;
}
