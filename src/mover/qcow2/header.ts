import { CLUSTER_BITS, CLUSTER_BYTES } from './layout.ts';

/** What the first cluster of an image says. */
export interface ImageHeader {
  readonly virtualSizeBytes: number;
  readonly clusterBits: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  /** Backing file by its path relative to this image's directory; always a qcow2. */
  readonly backingFile: string | null;
  /** How compressed clusters are compressed; none of an image without this. */
  readonly compression: 'none' | 'zstd';
}

const MAGIC = 0x514649fb; // "QFI\xfb"
/** The header, with the byte that names the compression and its padding to 8 bytes where there is one. */
const HEADER_BYTES = 104;
const HEADER_WITH_COMPRESSION_BYTES = 112;
/** Incompatible feature bit 3: the header names a compression. */
const COMPRESSION_FEATURE = 1 << 3;
const ZSTD = 1;
const BACKING_FORMAT = 0xe2792aca;
const END_OF_EXTENSIONS = 0;
/** QEMU's own limit for a backing file's name. */
const MAX_BACKING_NAME = 1023;

/**
 * The header cluster: header, then the extension "backing format: qcow2", then the backing file's name.
 * The format is told so that nobody ever has to guess it from the bytes of a backup.
 */
export function encodeHeader(header: ImageHeader): Buffer {
  const cluster = Buffer.alloc(CLUSTER_BYTES);
  const name = Buffer.from(header.backingFile ?? '', 'utf8');
  if (name.length > MAX_BACKING_NAME) throw new RangeError(`a backing file's name of ${name.length} bytes`);
  cluster.writeUInt32BE(MAGIC, 0);
  cluster.writeUInt32BE(3, 4);
  cluster.writeUInt32BE(CLUSTER_BITS, 20);
  write64(cluster, header.virtualSizeBytes, 24);
  cluster.writeUInt32BE(header.l1Entries, 36);
  write64(cluster, header.l1Offset, 40);
  write64(cluster, header.refcountTableOffset, 48);
  cluster.writeUInt32BE(header.refcountTableClusters, 56);
  cluster.writeUInt32BE(4, 96); // refcount_order: 2^4 bits
  const isPacked = header.compression === 'zstd';
  const headerBytes = isPacked ? HEADER_WITH_COMPRESSION_BYTES : HEADER_BYTES;
  cluster.writeUInt32BE(headerBytes, 100);
  if (isPacked) {
    write64(cluster, COMPRESSION_FEATURE, 72);
    cluster.writeUInt8(ZSTD, 104);
  }
  if (header.backingFile === null) return cluster;
  cluster.writeUInt32BE(BACKING_FORMAT, headerBytes);
  cluster.writeUInt32BE(5, headerBytes + 4);
  cluster.write('qcow2', headerBytes + 8, 'latin1'); // padded to 8 bytes; then 8 zeros end the extensions
  const nameAt = headerBytes + 24;
  write64(cluster, nameAt, 8);
  cluster.writeUInt32BE(name.length, 16);
  name.copy(cluster, nameAt);
  return cluster;
}

/**
 * Reads a header such as `encodeHeader` writes. An image with any feature we do not write (a data file, encryption, internal
 * snapshots, a backing file that is not qcow2) is refused: it could make QEMU open files that are not ours.
 * @returns the header, or a sentence that says what is wrong with it
 */
export function decodeHeader(bytes: Buffer): ImageHeader | string {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== MAGIC) return 'it is not a qcow2 image';
  if (bytes.readUInt32BE(4) !== 3) return `it is qcow2 version ${bytes.readUInt32BE(4)}, not 3`;
  const compression = decodeCompression(bytes);
  if (compression === null) return 'it needs features that this repository format does not use';
  if (bytes.readUInt32BE(32) !== 0) return 'it is encrypted';
  if (bytes.readUInt32BE(60) !== 0) return 'it holds internal snapshots';
  const headerBytes = compression === 'zstd' ? HEADER_WITH_COMPRESSION_BYTES : HEADER_BYTES;
  if (bytes.readUInt32BE(100) !== headerBytes) return 'its header has an unknown length';
  const backing = decodeBacking(bytes, headerBytes);
  if (backing !== null && typeof backing !== 'string') return backing.wrong;
  return {
    virtualSizeBytes: read64(bytes, 24),
    clusterBits: bytes.readUInt32BE(20),
    l1Entries: bytes.readUInt32BE(36),
    l1Offset: read64(bytes, 40),
    refcountTableOffset: read64(bytes, 48),
    refcountTableClusters: bytes.readUInt32BE(56),
    backingFile: backing,
    compression,
  };
}

/** Null for features or a compression of which we know nothing. */
function decodeCompression(bytes: Buffer): ImageHeader['compression'] | null {
  const features = bytes.readBigUInt64BE(72);
  if (features === 0n) return 'none';
  const isOurs =
    features === BigInt(COMPRESSION_FEATURE) &&
    bytes.length >= HEADER_WITH_COMPRESSION_BYTES &&
    bytes.readBigUInt64BE(104) === BigInt(ZSTD) << 56n;
  return isOurs ? 'zstd' : null;
}

function decodeBacking(bytes: Buffer, headerBytes: number): string | null | { readonly wrong: string } {
  const at = read64(bytes, 8);
  const extension = bytes.length >= headerBytes + 24 ? bytes.readUInt32BE(headerBytes) : END_OF_EXTENSIONS;
  if (at === 0)
    return extension === END_OF_EXTENSIONS ? null : { wrong: 'its header has an unknown extension' };
  const length = bytes.readUInt32BE(16);
  if (length === 0 || length > MAX_BACKING_NAME || at < headerBytes || at + length > bytes.length) {
    return { wrong: 'the name of its backing file lies outside its header' };
  }
  const format = bytes.toString('latin1', headerBytes + 8, headerBytes + 13);
  const isQcow2 =
    extension === BACKING_FORMAT && bytes.readUInt32BE(headerBytes + 4) === 5 && format === 'qcow2';
  if (!isQcow2 || bytes.readBigUInt64BE(headerBytes + 16) !== 0n)
    return { wrong: 'its backing file is not named as a qcow2 image' };
  return bytes.toString('utf8', at, at + length);
}

function write64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
  bytes.writeUInt32BE(value % 0x1_0000_0000, at + 4);
}

function read64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
}
