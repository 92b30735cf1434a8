import { constants } from 'node:os';
import { systemError } from './errno.ts';
import { ExitCode, MoverError } from './errors.ts';

/** The repository, or where a restore goes, cannot be written (or read, while writing). */
export class TargetError extends MoverError {
  readonly exitCode = ExitCode.target;
}

/** errno → reason. By number, because libuv has no name for ESTALE. */
const reasons: ReadonlyMap<number, readonly [reason: string, advice: string]> = new Map([
  [constants.errno.ENOSPC, ['TargetFull', 'it is full: make room or take another repository']],
  [constants.errno.EDQUOT, ['TargetFull', 'the quota is used up']],
  [constants.errno.EROFS, ['TargetReadOnly', 'it is mounted or exported read-only']],
  [
    constants.errno.EACCES,
    ['TargetDenied', 'permission denied: check owner and mode on the server: uid 107 must be able to write'],
  ],
  [constants.errno.EPERM, ['TargetDenied', 'not permitted: check owner and mode']],
  [constants.errno.ENOENT, ['TargetMissing', 'it does not exist']],
  [constants.errno.ENOTDIR, ['TargetMissing', 'a part of the path is not a directory']],
  [
    constants.errno.ESTALE,
    ['TargetStale', 'the server no longer knows it: it was deleted, or the export was withdrawn'],
  ],
  [
    constants.errno.ETIMEDOUT,
    ['TargetTimedOut', 'the server did not answer in time: check it, and the network to it'],
  ],
  [constants.errno.EIO, ['TargetFailed', 'I/O error: the storage, or a server mounted "soft", failed']],
]);

/** A failed system call on `path`, as a typed error that says what was tried. Our own errors pass through unchanged. */
export function targetError(action: string, path: string, cause: unknown): MoverError {
  if (cause instanceof MoverError) return cause;
  const { errno, code, message } = systemError(cause);
  const [reason, advice] = reasons.get(Math.abs(errno ?? 0)) ?? ['TargetFailed', code ?? message];
  return new TargetError(reason, `cannot ${action} ${path}: ${advice}`, { cause });
}

/** Runs a step on files, and turns what it throws into a TargetError. */
export async function onTarget<T>(action: string, path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    throw targetError(action, path, cause);
  }
}
