import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isMissing } from './errno.ts';
import { abortReason, throwIfAborted } from './errors.ts';
import { walkChain } from './repository/chain.ts';
import { syncDirectory } from './repository/durable.ts';
import { onTarget, TargetError } from './target-error.ts';

export interface RestoreRequest {
  /** Any backup of the chain. */
  readonly from: string;
  readonly volume: string;
  /** A block device, or a file that must not exist yet. */
  readonly to: string;
}

export interface RestoreResult {
  readonly virtualSizeBytes: number;
  readonly chainLength: number;
}

/**
 * Writes the disk as it was at a backup, raw, to a file or a block device. The chain is checked before the first byte is
 * written; a file appears under its name only when it is whole.
 * @throws Fault if the chain is not whole, TargetError if the target cannot take it
 */
export async function restoreVolume(request: RestoreRequest, signal: AbortSignal): Promise<RestoreResult> {
  const { tip, parents } = await walkChain(resolve(request.from), request.volume);
  const { directory, record } = tip;
  const image = join(directory, record.image.file);
  const target = resolve(request.to);
  if (await isDevice(target)) await restoreToDevice(image, target, record.virtualSizeBytes, signal);
  else await restoreToFile(image, target, signal);
  return { virtualSizeBytes: record.virtualSizeBytes, chainLength: parents.length + 1 };
}

async function isDevice(path: string): Promise<boolean> {
  return await onTarget('look at', path, async () => {
    try {
      const found = await stat(path);
      if (found.isBlockDevice()) return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    throw new TargetError('TargetExists', `${path} is there already: a restore never writes over a file`);
  });
}

async function restoreToDevice(
  image: string,
  device: string,
  neededBytes: number,
  signal: AbortSignal,
): Promise<void> {
  await onTarget('write', device, async () => {
    await access(device, constants.W_OK);
    await using handle = await open(device, 'r');
    // stat tells no size of a device; reading the last byte that is needed does.
    const { bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, neededBytes - 1);
    if (bytesRead === 0) {
      throw new TargetError(
        'TargetTooSmall',
        `${device} has less than the ${neededBytes} bytes of the volume: take a larger one`,
      );
    }
  });
  // -n: the device is there already. Without a promise about its content, qemu-img writes the zeros, too.
  await convert(['-n', image, device], device, signal);
}

async function restoreToFile(image: string, path: string, signal: AbortSignal): Promise<void> {
  const draft = `${path}.tidemark-partial`;
  try {
    await convert([image, draft], path, signal);
    await onTarget('sync', path, async () => {
      await using file = await open(draft, 'r+');
      await file.sync();
    });
    await onTarget('rename', path, () => rename(draft, path));
    await syncDirectory(dirname(path));
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
}

async function convert(operands: readonly string[], target: string, signal: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  const child = spawn('qemu-img', ['convert', '-W', '-m', '8', '-f', 'qcow2', '-O', 'raw', ...operands], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const onAbort = (): void => {
    child.kill('SIGKILL');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4096);
  });
  const code = await new Promise<number | null>((settle, reject) => {
    child.once('error', (cause) =>
      reject(new TargetError('RestoreFailed', 'cannot run qemu-img: is it installed?', { cause })),
    );
    child.once('close', settle);
  }).finally(() => signal.removeEventListener('abort', onAbort));
  if (signal.aborted) throw abortReason(signal);
  if (code === 0) return;
  const reason = said.includes('No space left on device') ? 'TargetFull' : 'RestoreFailed';
  throw new TargetError(reason, `qemu-img could not write ${target}: ${said.trim() || `exit code ${code}`}`);
}
