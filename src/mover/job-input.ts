import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { BackupJob } from '../domain/mover-job.ts';
import { systemError } from './errno.ts';
import { Aborted, UsageError } from './errors.ts';
import type { World } from './world.ts';

/** A job with a thousand disks and their definitions stays far below. */
const MAX_JOB_BYTES = 64 * 1024 * 1024;

/**
 * Reads a job: from a file, or (`-`) as ONE line on standard input. In the latter case standard input stays open for as long
 * as the caller lives: its end aborts the command, because nobody is left to end the backup job in libvirt.
 * @throws UsageError `JobInvalid`
 */
export async function readJob(from: string, world: World): Promise<BackupJob> {
  if (from !== '-') return parseJob(await firstLine(createReadStream(from), () => {}));
  const abandon = (): void => world.abort.abort(new Aborted('standard input ended, so the caller is dead'));
  return parseJob(await firstLine(world.stdin, abandon));
}

export function parseJob(text: string): BackupJob {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new UsageError('JobInvalid', `the job is not JSON on one line: ${systemError(cause).message}`, {
      cause,
    });
  }
  const parsed = BackupJob.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'job'}: ${message}`);
  throw new UsageError('JobInvalid', `the job cannot be understood: ${issues.join('; ')}`);
}

/** Resolves with the text before the first newline, then goes on listening for the end. */
function firstLine(stream: Readable, onEnd: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    let isRead = false;
    const finish = (): void => {
      isRead = true;
      resolve(Buffer.concat(parts).toString('utf8'));
    };
    stream.on('data', (part: Buffer) => {
      if (isRead) return;
      const newline = part.indexOf(10);
      parts.push(newline < 0 ? part : part.subarray(0, newline));
      bytes += part.length;
      if (newline >= 0) finish();
      else if (bytes > MAX_JOB_BYTES)
        reject(new UsageError('JobInvalid', `the job is longer than ${MAX_JOB_BYTES} bytes`));
    });
    stream.on('end', () => {
      if (!isRead) finish();
      onEnd();
    });
    stream.on('error', (cause) => {
      reject(new UsageError('JobInvalid', `the job cannot be read: ${cause.message}`, { cause }));
      onEnd();
    });
  });
}
