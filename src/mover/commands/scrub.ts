import { resolve } from 'node:path';
import { parseScrubCursor, type ScrubResult } from '../../domain/upkeep/scrub.ts';
import { parseBytes, readArguments } from '../arguments.ts';
import { parseDuration } from '../duration.ts';
import { ExitCode, UsageError } from '../errors.ts';
import { paced, pieceBytesFor } from '../pace.ts';
import { scrub } from '../repository/scrub.ts';
import { formatBytes, progressMeter, writeResult } from '../terminal.ts';
import type { World } from '../world.ts';
import { yieldToOthers } from '../yield-to-others.ts';

const USAGE =
  'scrub REPOSITORY [--share 0.03] [--limit 50Mi] [--nice 0-19] [--for 6h] [--resume CURSOR] [--json]';
const text = { type: 'string' } as const;
const options = {
  ...{ share: text, limit: text, nice: text, for: text, resume: text },
  json: { type: 'boolean', default: false },
} as const;

/** Verifies a slice of a whole repository. It ends well even when it found damage: what it found is in the result. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(args, options, 1, USAGE);
  const limit = values.limit === undefined ? undefined : parseBytes(values.limit, 'limit');
  const endsAt =
    values.for === undefined ? Infinity : world.now().getTime() + parseDuration(values.for, 'for');
  yieldToOthers(values.nice);
  const result = await scrub(
    resolve(positionals[0]!),
    {
      meter: progressMeter(world, values.json),
      pace: paced(limit),
      partBytes: pieceBytesFor(limit),
      cursor: cursorOf(values.resume),
      share: shareOf(values.share),
      isTimeUp: () => world.now().getTime() >= endsAt,
    },
    world.abort.signal,
  );
  writeResult(world, values.json, result, describe(result));
  return ExitCode.ok;
}

function cursorOf(resume: string | undefined) {
  if (resume === undefined) return null;
  const cursor = parseScrubCursor(resume);
  if (cursor !== null) return cursor;
  throw new UsageError('UsageError', `"${resume}" is not a place where a scrub stopped`);
}

function shareOf(share = '1'): number {
  if (Number(share) > 0 && Number(share) <= 1) return Number(share);
  throw new UsageError('UsageError', `--share must be more than 0 and at most 1, not "${share}"`);
}

function describe({ cursor, backups, bytesRead, bytesLeft, damaged }: ScrubResult): string {
  const lines = damaged.map(({ path, message }) => `${path}: ${message}`);
  const read = `${backups} backups, ${formatBytes(bytesRead)} of ${formatBytes(bytesLeft)} read`;
  return [
    ...lines,
    cursor === null ? `${read}, to the end` : `${read}; go on with --resume '${cursor}'`,
  ].join('\n');
}
