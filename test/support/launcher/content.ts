import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { run } from './command.ts';
import type { Disk } from './disks.ts';

/**
 * Copies what a disk holds to a sparse raw file. Nothing may write to it meanwhile, and a flush must have gone
 * before, for QEMU keeps new tables of a qcow2 in memory.
 */
export async function copyContent(disk: Disk, toRawFile: string): Promise<void> {
  if (disk.kind === 'qcow2') {
    // -U: the running QEMU holds the lock.
    await run(['qemu-img', 'convert', '-U', '-f', 'qcow2', '-O', 'raw', disk.image, toRawFile]);
  } else {
    await run(['cp', '--sparse=always', disk.image, toRawFile]);
  }
}

/** SHA-256 of a file, in hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
