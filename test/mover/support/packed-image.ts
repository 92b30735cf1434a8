import { zstdCompressSync } from 'node:zlib';
import { encodeHeader } from '../../../src/mover/qcow2/header.ts';
import { CLUSTER_BITS, CLUSTER_BYTES, L2_SPAN_BYTES } from '../../../src/mover/qcow2/layout.ts';

/** Cluster → its content; `packed` says whether to compress it. */
export type Clusters = ReadonlyMap<number, { readonly content: Buffer; readonly packed: boolean }>;

/**
 * An image of one window with compressed clusters, put together by hand from QEMU's docs/interop/qcow2.txt: compressed ones close
 * together, whatever block or sector they begin in, plain ones at the next cluster.
 */
export function packedImage(virtualSizeBytes: number, clusters: Clusters): Buffer {
  if (virtualSizeBytes > L2_SPAN_BYTES) throw new RangeError('one window is all there is');
  const image = Buffer.alloc((4 + clusters.size * 3) * CLUSTER_BYTES);
  const l2 = 2 * CLUSTER_BYTES;
  let end = 3 * CLUSTER_BYTES;
  /** Where the last compressed cluster ended, and the end of the block it ended in. */
  let packedEnd = end;
  let openEnd = end;
  for (const [cluster, { content, packed }] of [...clusters].sort(([a], [b]) => a - b)) {
    const entry = l2 + cluster * 8;
    if (packed) {
      const stored = zstdCompressSync(content);
      // Goes on in the block where the last one ended, unless it would run into what was put behind that block.
      if (packedEnd + stored.length > openEnd && openEnd !== end) packedEnd = end;
      stored.copy(image, packedEnd);
      const sectors = Math.floor((packedEnd + stored.length - 1) / 512) - Math.floor(packedEnd / 512);
      image.writeBigUInt64BE((1n << 62n) | (BigInt(sectors) << 54n) | BigInt(packedEnd), entry);
      packedEnd += stored.length;
      openEnd = Math.ceil(packedEnd / CLUSTER_BYTES) * CLUSTER_BYTES;
      end = Math.max(end, openEnd);
    } else {
      content.copy(image, end);
      image.writeBigUInt64BE((1n << 63n) | BigInt(end), entry);
      end += CLUSTER_BYTES;
    }
  }
  image.writeBigUInt64BE((1n << 63n) | BigInt(l2), CLUSTER_BYTES);
  encodeHeader({
    virtualSizeBytes,
    clusterBits: CLUSTER_BITS,
    l1Entries: 1,
    l1Offset: CLUSTER_BYTES,
    refcountTableOffset: 3 * CLUSTER_BYTES,
    refcountTableClusters: 1,
    backingFile: null,
    compression: 'zstd',
  }).copy(image);
  return image.subarray(0, end);
}
