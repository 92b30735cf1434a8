import { resolve } from 'node:path';
import type { VerifyResult } from '../../domain/mover-report.ts';
import { parseBytes, readArguments } from '../arguments.ts';
import { parseDuration } from '../duration.ts';
import { ExitCode } from '../errors.ts';
import { paced, pieceBytesFor } from '../pace.ts';
import { formatCursor, parseCursor } from '../repository/cursor.ts';
import { type Verification, verifyBackup } from '../repository/verify.ts';
import { formatBytes, progressMeter, writeResult } from '../terminal.ts';
import type { World } from '../world.ts';
import { yieldToOthers } from '../yield-to-others.ts';

const USAGE = 'verify DIR [--chain] [--limit 200Mi] [--nice 0-19] [--for 10m] [--resume CURSOR] [--json]';
const flag = { type: 'boolean', default: false } as const;
const text = { type: 'string' } as const;
const options = { chain: flag, json: flag, limit: text, nice: text, for: text, resume: text } as const;

/** Reads a backup, or its whole chain, and names each volume and range that is not what was written. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(args, options, 1, USAGE);
  const { json, chain } = values;
  const directory = resolve(positionals[0]!);
  const limit = values.limit === undefined ? undefined : parseBytes(values.limit, 'limit');
  const cursor = values.resume === undefined ? null : parseCursor(values.resume);
  const endsAt =
    values.for === undefined ? Infinity : world.now().getTime() + parseDuration(values.for, 'for');
  yieldToOthers(values.nice);
  const verification = await verifyBackup(
    directory,
    {
      wholeChain: chain,
      meter: progressMeter(world, json),
      pace: paced(limit),
      partBytes: pieceBytesFor(limit),
      cursor,
      isTimeUp: () => world.now().getTime() >= endsAt,
    },
    world.abort.signal,
  );
  const result = toResult(directory, verification);
  writeResult(world, json, result, describe(result, verification));
  return result.good ? ExitCode.ok : ExitCode.checkFailed;
}

function toResult(directory: string, { backups, bytesRead, cursor, faults }: Verification): VerifyResult {
  return {
    event: 'result',
    command: 'verify',
    directory,
    good: faults.length === 0,
    cursor: cursor && formatCursor(cursor),
    backups,
    bytesRead,
    faults: faults.map(({ reason, volume, path, message, range, guestRanges }) => ({
      reason,
      volume,
      path,
      message,
      range,
      guestRanges: [...guestRanges],
    })),
  };
}

function describe({ good, cursor, backups, bytesRead }: VerifyResult, { faults }: Verification): string {
  const lines = faults.map(({ volume, message }) => `${volume ? `volume ${volume}: ` : ''}${message}`);
  const summary = `${backups} backup${backups === 1 ? '' : 's'}, ${formatBytes(bytesRead)} read`;
  const found = good ? 'good' : `${faults.length} fault${faults.length === 1 ? '' : 's'}`;
  lines.push(
    cursor === null ? `${found}: ${summary}` : `${found} so far: ${summary}; go on with --resume ${cursor}`,
  );
  return lines.join('\n');
}
