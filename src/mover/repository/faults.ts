import { systemError } from '../errno.ts';
import { CheckFailed, ParentError } from '../errors.ts';

/** Something in the repository is not there, or not what it was. */
export class Fault extends CheckFailed {
  readonly kind: 'Missing' | 'Damaged';
  readonly path: string;

  constructor(
    kind: 'Missing' | 'Damaged',
    volume: string | null,
    path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`BackupData${kind}`, `${path}: ${message}`, options);
    this.kind = kind;
    this.volume = volume;
    this.path = path;
  }
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

/** Turns a failed look at `path` into a Fault; only a file that is not there counts as missing. */
export function lookFault(volume: string | null, path: string, cause: unknown): unknown {
  if (cause instanceof Fault) return cause;
  const { code } = systemError(cause);
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new Fault('Missing', volume, path, 'is missing', { cause });
  return new Fault('Damaged', volume, path, `cannot be read (${code ?? String(cause)})`, { cause });
}
