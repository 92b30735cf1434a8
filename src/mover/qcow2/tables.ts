import type { BlockSource } from './block-source.ts';
import { type ClusterEntry, decodeL1Entry, decodeL2Entry } from './entries.ts';
import { decodeHeader } from './header.ts';
import { CLUSTER_BITS, CLUSTER_BYTES, L2_SPAN_BYTES, MAX_VIRTUAL_BYTES, TABLE_ENTRIES } from './layout.ts';

/** The part of a disk that one L2 table maps, in this image: what it says of each cluster. */
export type Window = (cluster: number) => ClusterEntry;

/**
 * The tables of one image, a window at a time: one block of the L1 table and one L2 table are in memory, for a disk of any
 * size. Whoever asks for windows in rising order reads each block of them once.
 */
export class ImageTables {
  readonly virtualSizeBytes: number;
  readonly windows: number;
  readonly #source: BlockSource;
  readonly #l1Offset: number;
  readonly #l1Part = Buffer.alloc(CLUSTER_BYTES);
  readonly #l2 = Buffer.alloc(CLUSTER_BYTES);
  /** Which part of the L1 table is in memory, or why it is not. */
  #l1Held: { readonly part: number; readonly error: unknown } = { part: -1, error: null };
  /** An honest image names no cluster twice. Bounds what a hostile one makes us read. */
  #tablesLeft: number;
  #dataBytesLeft: number;
  #windowsSeen = 0;

  /** Reads the header. @throws `source.damaged` if it is none of ours */
  constructor(source: BlockSource) {
    const first = Buffer.alloc(CLUSTER_BYTES);
    if (source.bytes < CLUSTER_BYTES) throw source.damaged('it is too short to be an image');
    source.readBlocks(0, 1, first);
    const header = decodeHeader(first);
    if (typeof header === 'string') throw source.damaged(header);
    const { virtualSizeBytes, clusterBits, l1Entries, l1Offset } = header;
    const l1Bytes = Math.ceil(l1Entries / TABLE_ENTRIES) * CLUSTER_BYTES;
    const isLawful =
      clusterBits === CLUSTER_BITS &&
      virtualSizeBytes <= MAX_VIRTUAL_BYTES &&
      l1Entries === Math.ceil(virtualSizeBytes / L2_SPAN_BYTES) &&
      l1Offset % CLUSTER_BYTES === 0 &&
      l1Offset + l1Bytes <= source.bytes;
    if (!isLawful) throw source.damaged('its header does not describe an image of ours');
    this.#source = source;
    this.#l1Offset = l1Offset;
    this.virtualSizeBytes = virtualSizeBytes;
    this.windows = l1Entries;
    this.#tablesLeft = source.bytes;
    this.#dataBytesLeft = source.bytes;
  }

  /**
   * The window that begins at guest offset `index` × 512 MiB; null if the image says nothing of it. Good until the next call.
   * @throws `source.damaged`
   */
  window(index: number): Window | null {
    if (index >= this.windows) return null;
    // A second walk, such as verify's, may begin again at the front.
    if (index < this.#windowsSeen) this.#tablesLeft = this.#dataBytesLeft = this.#source.bytes;
    this.#windowsSeen = index;
    const offset = decodeL1Entry(this.#l1(index), index % TABLE_ENTRIES, this.#source.bytes);
    if (typeof offset === 'string') throw this.#source.damaged(offset);
    if (offset === 0) return null;
    this.#tablesLeft = this.#spend(this.#tablesLeft, CLUSTER_BYTES);
    this.#source.readBlocks(offset / CLUSTER_BYTES, 1, this.#l2);
    return (cluster) => this.#entry(cluster);
  }

  #entry(cluster: number): ClusterEntry {
    const entry = decodeL2Entry(this.#l2, cluster, this.#source.bytes);
    if (typeof entry === 'string') throw this.#source.damaged(entry);
    if (entry.kind === 'plain') this.#dataBytesLeft = this.#spend(this.#dataBytesLeft, CLUSTER_BYTES);
    // Its last sector may be its neighbour's, too: count what is surely its own.
    if (entry.kind === 'packed')
      this.#dataBytesLeft = this.#spend(this.#dataBytesLeft, Math.max(1, entry.storedBytes - 512));
    return entry;
  }

  #spend(left: number, bytes: number): number {
    if (left < bytes) throw this.#source.damaged('its tables name more clusters than it has');
    return left - bytes;
  }

  #l1(index: number): Buffer {
    const part = Math.floor(index / TABLE_ENTRIES);
    if (this.#l1Held.part !== part) {
      try {
        this.#source.readBlocks(this.#l1Offset / CLUSTER_BYTES + part, 1, this.#l1Part);
        this.#l1Held = { part, error: null };
      } catch (error) {
        this.#l1Held = { part, error };
      }
    }
    if (this.#l1Held.error !== null) throw this.#l1Held.error;
    return this.#l1Part;
  }
}
