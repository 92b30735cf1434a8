import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { VolumeRecord } from '../../domain/manifest.ts';
import { throwIfAborted } from '../errors.ts';
import { Fault, lookFault } from './faults.ts';
import { openPlain } from './plain-file.ts';
import type { OpenImage } from './proven-file.ts';
import { encodeSumsHeader, SUM_BLOCK_BYTES, SUMS_HEADER_BYTES } from './sums.ts';

const PAGE_BYTES = 256 * 1024;

/** An image and its sums as handles, which close together. */
export interface ImageFiles extends AsyncDisposable {
  readonly image: FileHandle;
  readonly sums: FileHandle;
  readonly opened: OpenImage;
}

/** Opens a volume's image and its sums. @throws Fault */
export async function openImage(directory: string, record: VolumeRecord): Promise<ImageFiles> {
  const path = join(directory, record.image.file);
  const sumsPath = join(directory, record.sums.file);
  const image = await openPlain(path, record.name);
  const sums = await openPlain(sumsPath, record.name).catch(async (error: unknown) => {
    await image.close();
    throw error;
  });
  return {
    image,
    sums,
    opened: {
      volume: record.name,
      path,
      bytes: record.image.bytes,
      fd: image.fd,
      sumsPath,
      sumsFd: sums.fd,
    },
    [Symbol.asyncDispose]: async () => {
      await image.close();
      await sums.close();
    },
  };
}

/** Proves the sums by the manifest: from here on they prove the image. @throws Fault, or the signal's reason */
export async function proveSums(
  { sums: file, opened }: ImageFiles,
  { name, image, sums }: VolumeRecord,
  signal: AbortSignal,
): Promise<void> {
  const path = opened.sumsPath;
  const header = encodeSumsHeader(Math.ceil(image.bytes / SUM_BLOCK_BYTES));
  const hash = createHash('sha256');
  const page = Buffer.allocUnsafe(PAGE_BYTES);
  for (let position = 0, read = -1; read !== 0; position += read) {
    throwIfAborted(signal);
    read = await file.read(page, 0, page.length, position).then(
      ({ bytesRead }) => bytesRead,
      (cause: unknown) => {
        throw lookFault(name, path, cause);
      },
    );
    const some = page.subarray(0, read);
    if (position === 0 && !some.subarray(0, SUMS_HEADER_BYTES).equals(header)) {
      throw new Fault('Damaged', name, path, 'has a wrong header');
    }
    hash.update(some);
  }
  if (hash.digest('hex') !== sums.sha256) {
    throw new Fault('Damaged', name, path, 'does not match the manifest');
  }
}
