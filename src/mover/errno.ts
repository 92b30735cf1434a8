import { constants } from 'node:os';

/** What a failed system call says. Node's own errors are not typed where they are caught. */
export interface SystemError {
  readonly code: string | undefined;
  readonly errno: number | undefined;
  readonly message: string;
}

/** libuv has no name for it: its code is "Unknown system error -116". */
const { ESTALE } = constants.errno;

export function systemError(error: unknown): SystemError {
  const found = error instanceof Error ? error : new Error(String(error));
  const errno = 'errno' in found && typeof found.errno === 'number' ? found.errno : undefined;
  const named = 'code' in found && typeof found.code === 'string' ? found.code : undefined;
  const code = errno === -ESTALE ? 'ESTALE' : named;
  return { code, errno, message: found.message };
}

export function isMissing(error: unknown): boolean {
  return systemError(error).code === 'ENOENT';
}

/** The server went away or withdrew its export. That says nothing about the data. */
export function isAway(error: unknown): boolean {
  const { code } = systemError(error);
  return code === 'ESTALE' || code === 'ETIMEDOUT';
}
