import { resolve } from 'node:path';
import { SweepOrder, type SweepResult } from '../../domain/upkeep/sweep.ts';
import { readArguments, required } from '../arguments.ts';
import { systemError } from '../errno.ts';
import { ExitCode, UsageError } from '../errors.ts';
import { removeLeftovers } from '../repository/leftovers.ts';
import { sweep } from '../repository/sweep.ts';
import { formatBytes, writeResult } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = 'sweep REPOSITORY --order JSON [--json]';
const options = { order: { type: 'string' }, json: { type: 'boolean', default: false } } as const;

/** The result must fit into the end of a log: so many leftovers that could not be removed are named. */
const STUCK = 4;

/**
 * Removes backups, leaf first, and refuses what others stand on. It ends well even when something could not be removed: what became
 * of each is in the result.
 */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(args, options, 1, USAGE);
  const root = resolve(positionals[0]!);
  const order = parseOrder(required(values.order, 'order', USAGE));
  const backups = await sweep(root, order, world.abort.signal);
  const isBroken = backups.some(({ outcome }) => outcome === 'Failed');
  const { removed, stuck } = isBroken
    ? { removed: 0, stuck: [] }
    : await removeLeftovers(root, order, world.now().getTime(), world.abort.signal);
  const result: SweepResult = {
    event: 'result',
    command: 'sweep',
    backups: [...backups],
    leftovers: removed,
    stuck: stuck.slice(0, STUCK),
  };
  writeResult(world, values.json, result, describe(result));
  return ExitCode.ok;
}

function parseOrder(text: string): SweepOrder {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new UsageError('OrderInvalid', `the order is not JSON: ${systemError(cause).message}`, { cause });
  }
  const parsed = SweepOrder.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'order'}: ${message}`);
  throw new UsageError('OrderInvalid', `the order cannot be understood: ${issues.join('; ')}`);
}

function describe({ backups, leftovers, stuck }: SweepResult): string {
  const lines = backups.map(({ uid, outcome, bytes, message }) =>
    message === '' ? `${uid}: ${outcome}, ${formatBytes(bytes)}` : `${uid}: ${outcome}: ${message}`,
  );
  return [...lines, `${leftovers} leftovers removed`, ...stuck].join('\n');
}
