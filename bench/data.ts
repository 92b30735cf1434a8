import { randomFillSync } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 1024 * 1024;
const CLUSTER = 65536;

/** A sparse raw disk: every other stretch of 64 MiB is filled by `fill`, a MiB at a time. */
export function makeDisk(path: string, dataBytes: number, fill: (buffer: Buffer) => void): void {
  const file = openSync(path, 'w');
  const buffer = Buffer.alloc(MIB);
  for (let done = 0; done < dataBytes; done += MIB) {
    fill(buffer);
    writeSync(file, buffer, 0, MIB, done + Math.floor(done / (64 * MIB)) * 64 * MIB);
  }
  ftruncateSync(file, dataBytes * 2);
  closeSync(file);
}

/** What cannot be compressed. */
export const noise = (buffer: Buffer): void => {
  randomFillSync(buffer);
};

/** What a guest's system disk holds: the programs, libraries and texts of this machine, one after another, each once. */
export function systemFiles(root: string): (buffer: Buffer) => void {
  const files = walk(root);
  let rest = Buffer.alloc(0);
  return (buffer) => {
    for (let used = 0; used < buffer.length; ) {
      if (rest.length === 0) {
        const next = files.next();
        if (next.done) throw new Error(`${root} holds too little for a disk: take a smaller --gib`);
        rest = next.value;
      }
      const taken = rest.copy(buffer, used);
      used += taken;
      rest = rest.subarray(taken);
    }
  };
}

function* walk(directory: string): Generator<Buffer<ArrayBuffer>, void, void> {
  const entries = readdirSync(directory, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield readFileSync(path);
  }
}

/** Commands for qemu-io: so many clusters all over a disk, written once each, the same ones every time. */
export function scatteredWrites(count: number, diskBytes: number): string {
  const step = Math.floor(diskBytes / CLUSTER / count);
  let random = 1;
  const lines = Array.from({ length: count }, (_, i) => {
    random = (random * 48271) % 2147483647;
    const cluster = i * step + (random % step);
    return `write -q -P ${(i % 254) + 1} ${cluster * CLUSTER} ${CLUSTER}`;
  });
  return `${lines.join('\n')}\n`;
}

/**
 * Takes memory from the system and gives it back, so that the next program finds it at hand. On a virtual machine the first
 * touch of a page can cost more than the copy that is measured.
 */
export function warmMemory(path: string, bytes: number): void {
  const file = openSync(path, 'w');
  const buffer = Buffer.alloc(MIB);
  for (let done = 0; done < bytes; done += MIB) writeSync(file, buffer);
  closeSync(file);
  rmSync(path);
}
