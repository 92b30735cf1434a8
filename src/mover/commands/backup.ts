import { randomUUID } from 'node:crypto';
import { basename, resolve } from 'node:path';
import type { BackupJob } from '../../domain/mover-job.ts';
import type { BackupResult } from '../../domain/mover-report.ts';
import { parseBytes, parseCompression, readArguments, required } from '../arguments.ts';
import { runBackup } from '../backup.ts';
import { ExitCode, UsageError } from '../errors.ts';
import { parseJob, readJob } from '../job-input.ts';
import { asParentError } from '../repository/faults.ts';
import { readManifest } from '../repository/manifest-file.ts';
import { formatBytes, formatSeconds, progressMeter, writeResult } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = `backup --source URI --volume NAME --to DIR [--bitmap NAME --parent DIR] [--compress zstd[:LEVEL]|none] [--limit 200Mi] [--json]
       tidemark-mover backup --job -|FILE [--json]`;

const text = { type: 'string' } as const;
const options = {
  job: text,
  source: text,
  volume: text,
  to: text,
  bitmap: text,
  parent: text,
  compress: text,
  limit: text,
  json: { type: 'boolean', default: false },
} as const;

type Values = ReturnType<typeof read>;
const read = (args: readonly string[]) => readArguments(args, options, 0, USAGE).values;

/** Backs up one disk by hand, or all disks of a job for the node agent. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const values = read(args);
  const job =
    values.job === undefined ? await jobByHand(values, world.now()) : await readJob(values.job, world);
  const { now, randomId } = world;
  const meter = progressMeter(world, values.json);
  const context = { now, randomId, meter, inRepository: values.job !== undefined };
  const result = await runBackup(job, context, world.abort.signal);
  writeResult(world, values.json, result, describe(result));
  return ExitCode.ok;
}

/** A job as the agent would send it, of what the command line and the parent's manifest tell. */
async function jobByHand(values: Values, now: Date): Promise<BackupJob> {
  const directory = resolve(required(values.to, 'to', USAGE));
  const name = required(values.volume, 'volume', USAGE);
  const source = required(values.source, 'source', USAGE);
  if ((values.bitmap === undefined) !== (values.parent === undefined)) {
    throw new UsageError(
      'UsageError',
      `--bitmap and --parent belong together\n\nusage: tidemark-mover ${USAGE}`,
    );
  }
  const parentDirectory = values.parent === undefined ? null : resolve(values.parent);
  const parent = parentDirectory === null ? null : await parentManifest(parentDirectory, name);
  const id = basename(directory);
  const reason = parent ? 'BaseAvailable' : 'FullRequested';
  const job = {
    directory,
    attempt: 0,
    manifest: {
      backup: { id, name: id, namespace: '', uid: randomUUID(), createdAt: now.toISOString() },
      cluster: parent?.cluster ?? '',
      vm: parent?.vm ?? { name: '', namespace: '', uid: '' },
      chain: { id: parent?.chain.id ?? id, position: parent ? parent.chain.position + 1 : 0 },
      type: parent ? 'Incremental' : 'Full',
      reason,
      message: 'made by hand',
      bitmap: null,
      parent: parent ? { name: parent.backup.name, id: basename(parentDirectory ?? '') } : null,
    },
    volumes: [
      parentDirectory !== null && values.bitmap !== undefined
        ? { name, source, reason, type: 'Incremental', bitmap: values.bitmap, parent: parentDirectory }
        : { name, source, reason, type: 'Full' },
    ],
    ...parseCompression(values.compress),
    limitBytesPerSecond: values.limit === undefined ? undefined : parseBytes(values.limit, 'limit'),
  };
  // Undefined members vanish on the way, and their defaults step in.
  return parseJob(JSON.stringify(job));
}

async function parentManifest(directory: string, volume: string) {
  try {
    return await readManifest(directory);
  } catch (error) {
    throw asParentError(error, volume);
  }
}

function describe({ directory, alreadyCommitted, volumes, milliseconds }: BackupResult): string {
  if (alreadyCommitted) return `${directory} holds this backup already; nothing was written`;
  const lines = volumes.map(({ name, type, dataBytes, zeroBytes, virtualSizeBytes }) => {
    const zeros = zeroBytes > 0 ? ` and ${formatBytes(zeroBytes)} of zeros` : '';
    return `  ${name}: ${type}, ${formatBytes(dataBytes)} of data${zeros}, of a disk of ${formatBytes(virtualSizeBytes)}`;
  });
  return [`backed up to ${directory} in ${formatSeconds(milliseconds / 1000)}`, ...lines].join('\n');
}
