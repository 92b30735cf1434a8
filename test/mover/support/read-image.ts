import { CLUSTER_BYTES, TABLE_ENTRIES } from '../../../src/mover/qcow2/layout.ts';
import { unpackCluster } from '../../../src/mover/qcow2/packed-cluster.ts';
import type { ClusterSink } from '../../../src/mover/qcow2/writer.ts';

/** An image in memory, and a second opinion on what it says: a plain reader of qcow2, apart from the writer's code. */
export class MemoryImage implements ClusterSink {
  readonly #clusters: Buffer[] = [Buffer.alloc(CLUSTER_BYTES)];
  #end = CLUSTER_BYTES;
  #waiting: { readonly clusters: Buffer; readonly onWritten: (() => void) | undefined }[] = [];

  append(clusters: Buffer, onWritten?: () => void): number {
    const offset = this.#end;
    this.#waiting.push({ clusters, onWritten });
    this.#end += clusters.length;
    return offset;
  }

  /** Copies as late as the contract of `append` allows: who changes a buffer too early is found out. */
  async flush(): Promise<void> {
    await Promise.resolve();
    this.#take();
  }

  #take(): void {
    for (const { clusters, onWritten } of this.#waiting.splice(0)) {
      for (let at = 0; at < clusters.length; at += CLUSTER_BYTES) {
        this.#clusters.push(Buffer.from(clusters.subarray(at, at + CLUSTER_BYTES)));
      }
      onWritten?.();
    }
  }

  setFirst(cluster: Buffer): void {
    this.#clusters[0] = Buffer.from(cluster);
  }

  get bytes(): Buffer {
    this.#take();
    return Buffer.concat(this.#clusters);
  }
}

/** The disk an image describes, on top of its parent's. */
export function readImage(bytes: Buffer, parent: Buffer = Buffer.alloc(0)): Buffer {
  const size = Number(bytes.readBigUInt64BE(24));
  const l1 = Number(bytes.readBigUInt64BE(40));
  const disk = Buffer.alloc(size);
  parent.copy(disk);
  for (let offset = 0; offset < size; offset += CLUSTER_BYTES) {
    const cluster = offset / CLUSTER_BYTES;
    const l2 = hostOffset(bytes, l1 + Math.floor(cluster / TABLE_ENTRIES) * 8);
    if (l2 === 0) continue;
    const entry = l2 + (cluster % TABLE_ENTRIES) * 8;
    if ((bytes[entry]! & 0x40) !== 0) {
      packedCluster(bytes, entry).copy(disk, offset);
      continue;
    }
    const host = hostOffset(bytes, entry);
    const end = Math.min(offset + CLUSTER_BYTES, size);
    if ((bytes.readUInt32BE(entry + 4) & 1) === 1) disk.fill(0, offset, end);
    else if (host !== 0) bytes.copy(disk, offset, host, host + end - offset);
  }
  return disk;
}

/** Bits 0 to 53 say where it begins, 54 to 61 how many more sectors it touches. */
function packedCluster(bytes: Buffer, at: number): Buffer {
  const entry = bytes.readBigUInt64BE(at);
  const begin = Number(entry & ((1n << 54n) - 1n));
  const end = (Math.floor(begin / 512) + Number((entry >> 54n) & 0xffn) + 1) * 512;
  const cluster = unpackCluster(bytes.subarray(begin, end));
  if (typeof cluster === 'string') throw new Error(cluster);
  return cluster;
}

/** Bits 9 to 55 of a table entry. */
function hostOffset(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64BE(at) & 0x00fffffffffffe00n);
}
