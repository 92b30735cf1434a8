import { constants, zstdCompressSync } from 'node:zlib';
import { CLUSTER_BYTES } from '../qcow2/layout.ts';

/** A frame that saves less is not worth unpacking: its cluster is stored as it is. */
const LARGEST_FRAME_BYTES = CLUSTER_BYTES - 4096;
/** The sample that tells whether a cluster is worth the work, and what of it must remain at most. */
const SAMPLE_BYTES = 4096;
/** What zstd may add to what it cannot compress. */
const ROOM_BYTES = 1024;
const zeros = Buffer.alloc(CLUSTER_BYTES);

/** What became of a cluster: the bytes of its frame, or one of these two. */
export const ZEROS = 0;
export const PLAIN = CLUSTER_BYTES;

/**
 * Packs a cluster into `frame`, which has as much room. `afterPlain`: the one before it was not worth it. Only then are samples
 * looked at first: of data that can be compressed they would cost an eighth of all the work, and noise comes in long stretches.
 * @returns the frame's length, `ZEROS` or `PLAIN`
 */
export function packCluster(cluster: Buffer, level: number, frame: Buffer, afterPlain: boolean): number {
  if (zeros.equals(cluster)) return ZEROS;
  if (afterPlain && isNoise(cluster)) return PLAIN;
  const length = pack(cluster, level, frame);
  return length > LARGEST_FRAME_BYTES ? PLAIN : length;
}

/**
 * Whether it is noise all through: encrypted or compressed before. Three samples must all be so, at the quickest level; zstd
 * itself needs the whole cluster to find out.
 */
function isNoise(cluster: Buffer): boolean {
  return [0, CLUSTER_BYTES / 2, CLUSTER_BYTES - SAMPLE_BYTES].every(
    (at) => pack(cluster.subarray(at, at + SAMPLE_BYTES), 1, null) >= SAMPLE_BYTES,
  );
}

/** Compresses to one frame, copies it if it is wanted and fits, and tells its length. */
function pack(bytes: Buffer, level: number, into: Buffer | null): number {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  // In one piece, so that the frame alone lies in the memory that Node took for it.
  const chunkSize = bytes.length + ROOM_BYTES;
  const frame = zstdCompressSync(bytes, { params, chunkSize });
  if (into && frame.length <= into.length) frame.copy(into);
  const { length } = frame;
  // Given back at once: a collector that waits for 64 MiB of these, in each thread, costs more memory than all else.
  // Smaller ones come from a pool of Node's.
  if (frame.buffer instanceof ArrayBuffer && frame.buffer.byteLength === chunkSize) frame.buffer.transfer(0);
  return length;
}
