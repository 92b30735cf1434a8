import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissing, systemError } from './errno.ts';
import { MoverError, throwIfAborted } from './errors.ts';
import { syncDirectory } from './repository/durable.ts';
import { onTarget, TargetError } from './target-error.ts';

/** Where a restore writes to. Ends in `commit` or in `abandon`. */
export interface RestoreTarget {
  readonly path: string;
  readonly handle: FileHandle;
  /** All of it reads as zeros before the first write, so zeros need not be written. */
  readonly isZeroed: boolean;
  /** Brings it to stable storage, under its name. */
  commit(): Promise<void>;
  /** Leaves nothing behind that could be taken for a disk; where that cannot be, says so in the error. */
  abandon(failure: unknown): Promise<void>;
}

export interface TargetRequest {
  readonly path: string;
  readonly sizeBytes: number;
  /** Give up what a file holds. A device is overwritten in any case. */
  readonly overwrite: boolean;
}

/** Prepares a block device, or a file. @throws TargetError */
export async function openTarget(request: TargetRequest, signal: AbortSignal): Promise<RestoreTarget> {
  const { path, overwrite } = request;
  const found = await onTarget('look at', path, async () => {
    try {
      return await stat(path);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  });
  if (found?.isBlockDevice()) return await openDevice(request, signal);
  if (found && !found.isFile()) {
    throw new TargetError('TargetUnsuitable', `${path} is neither a file nor a block device`);
  }
  if (found && !overwrite) {
    throw new TargetError(
      'TargetExists',
      `${path} is there already: move it away, or give up what it holds with --overwrite`,
    );
  }
  return await openFile(request, found !== null);
}

/**
 * A file gets its name when it is whole. One that is overwritten loses its name first and keeps its inode, owner and mode, so
 * nobody, not even after a crash, ever finds half a disk under that name.
 */
async function openFile({ path, sizeBytes }: TargetRequest, isThere: boolean): Promise<RestoreTarget> {
  const draft = `${path}.tidemark-partial`;
  const handle = await onTarget('write', path, async () => {
    // What a killed restore left under this name is of no use to anybody.
    await rm(draft, { force: true });
    if (!isThere) return await open(draft, 'wx+', 0o640);
    const file = await open(path, 'r+');
    await rename(path, draft);
    await file.truncate(0);
    return file;
  });
  const target: RestoreTarget = {
    path,
    handle,
    isZeroed: true,
    commit: async () => {
      await onTarget('sync', path, () => handle.sync());
      await handle.close();
      await onTarget('rename', path, () => rename(draft, path));
      await syncDirectory(dirname(path));
    },
    abandon: async () => {
      await handle.close().catch(() => {});
      await rm(draft, { force: true }).catch(() => {});
    },
  };
  try {
    await onTarget('write', path, () => handle.truncate(sizeBytes));
    return target;
  } catch (error) {
    await target.abandon(error);
    throw error;
  }
}

async function openDevice({ path, sizeBytes }: TargetRequest, signal: AbortSignal): Promise<RestoreTarget> {
  const handle = await onTarget('write', path, async () => {
    try {
      // With O_EXCL the kernel refuses a device that is mounted, or a part of another.
      return await open(path, constants.O_RDWR | constants.O_EXCL);
    } catch (cause) {
      if (systemError(cause).code !== 'EBUSY') throw cause;
      throw new TargetError('TargetBusy', `${path} is in use: unmount it first`, { cause });
    }
  });
  try {
    await checkDeviceSize(handle, path, sizeBytes);
    throwIfAborted(signal);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    path,
    handle,
    isZeroed: await punchHole(path, sizeBytes, signal),
    commit: async () => {
      await onTarget('sync', path, () => handle.sync());
      await handle.close();
    },
    abandon: async (failure) => {
      await handle.close().catch(() => {});
      if (failure instanceof MoverError)
        failure.message += `; ${path} now holds a part of the disk: restore it again before use`;
    },
  };
}

async function checkDeviceSize(handle: FileHandle, path: string, sizeBytes: number): Promise<void> {
  if (sizeBytes === 0) return;
  // stat tells no size of a device; reading the last byte that is needed does.
  const { bytesRead } = await onTarget('read', path, () => handle.read(Buffer.alloc(1), 0, 1, sizeBytes - 1));
  if (bytesRead === 1) return;
  throw new TargetError(
    'TargetTooSmall',
    `${path} has less than the ${sizeBytes} bytes of the volume: take a larger one`,
  );
}

/**
 * Has the device forget its first bytes, so that it stays as thin as the disk was. Node has no fallocate; the tool of that name
 * asks for zeros or nothing (FALLOC_FL_PUNCH_HOLE on a block device fails where the device cannot promise that they read as zeros).
 * @returns whether they read as zeros now; if not, zeros have to be written
 */
async function punchHole(path: string, sizeBytes: number, signal: AbortSignal): Promise<boolean> {
  if (sizeBytes === 0) return true;
  const args = ['--punch-hole', '--offset', '0', '--length', String(sizeBytes), path];
  return await new Promise<boolean>((resolve) => {
    const child = spawn('fallocate', args, { stdio: 'ignore', signal });
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}
