import { isAway, systemError } from '../errno.ts';
import { CheckFailed, ParentError } from '../errors.ts';
import { targetError } from '../target-error.ts';

/** Bytes of a file or a disk, [start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface FaultOptions extends ErrorOptions {
  /** The part of the file that is wrong, where that is known. */
  readonly range?: Range;
  /** The parts of the volume's disk that lie there. */
  readonly guestRanges?: readonly Range[];
}

/** Something in the repository is not there, or not what it was. */
export class Fault extends CheckFailed {
  readonly kind: 'Missing' | 'Damaged';
  readonly path: string;
  /** The message without the path. */
  readonly detail: string;
  readonly range: Range | null;
  readonly guestRanges: readonly Range[];

  constructor(
    kind: 'Missing' | 'Damaged',
    volume: string | null,
    path: string,
    detail: string,
    options: FaultOptions = {},
  ) {
    super(`BackupData${kind}`, `${path}: ${detail}`, options);
    this.kind = kind;
    this.volume = volume;
    this.path = path;
    this.detail = detail;
    this.range = options.range ?? null;
    this.guestRanges = options.guestRanges ?? [];
  }
}

/** `bytes 0 to 65535`: both ends belong to it. */
export function inWords({ start, end }: Range): string {
  return `bytes ${start} to ${end - 1}`;
}

/** The same, told to somebody who wanted to put an incremental on top: `ParentDataMissing` or `ParentDataDamaged`. */
export function asParentError(error: unknown, volume: string): unknown {
  if (!(error instanceof Fault)) return error;
  const parent = new ParentError(
    `ParentData${error.kind}`,
    `the parent of volume ${volume} cannot be used: ${error.message}`,
    {
      cause: error,
    },
  );
  parent.volume = volume;
  return parent;
}

/**
 * Turns a failed look at `path` into a Fault; only a file that is not there counts as missing. A server that went away is no
 * fault of the data, but a TargetError: else its weather would turn incrementals into fulls.
 */
export function lookFault(volume: string | null, path: string, cause: unknown): unknown {
  if (cause instanceof Fault) return cause;
  if (isAway(cause)) return targetError('read', path, cause);
  const { code } = systemError(cause);
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new Fault('Missing', volume, path, 'is missing', { cause });
  return new Fault('Damaged', volume, path, `cannot be read (${code ?? String(cause)})`, { cause });
}
