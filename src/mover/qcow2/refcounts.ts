import { CLUSTER_BYTES, REFCOUNTS_PER_BLOCK, TABLE_ENTRIES, writeEntry } from './layout.ts';

/**
 * The refcounts of a file that grows from front to end: one block of them in memory, for a file of any size. A block that is
 * full goes into the file itself, where it is a cluster like any other.
 */
export class Refcounts {
  readonly #append: (cluster: Buffer) => number;
  readonly #offsets: number[] = [];
  readonly #full: Buffer[] = [];
  #block = Buffer.alloc(CLUSTER_BYTES);
  #clusters = 0;

  /** @param append puts whole clusters at the file's end, and gives the offset they begin at; must not count them */
  constructor(append: (clusters: Buffer) => number) {
    this.#append = append;
    // The header's.
    this.add([1]);
  }

  /** Counts the clusters that were appended last, in their order. */
  add(refcounts: Iterable<number>): void {
    for (const refcount of refcounts) this.#count(refcount);
    // Not before all of them are counted: a block's own cluster comes after theirs.
    for (let block = this.#full.shift(); block; block = this.#full.shift()) {
      this.#offsets.push(this.#append(block));
      this.#count(1);
    }
  }

  /** Writes the last blocks, and the table that names all of them. They count themselves, too: find how many it takes. */
  finish(): { readonly refcountTableOffset: number; readonly refcountTableClusters: number } {
    const written = this.#offsets.length;
    let blocks = 1;
    let tables = 1;
    const total = (): number => this.#clusters + blocks + tables;
    while (total() > (written + blocks) * REFCOUNTS_PER_BLOCK || written + blocks > tables * TABLE_ENTRIES) {
      if (written + blocks > tables * TABLE_ENTRIES) tables++;
      else blocks++;
    }
    for (let end = total(), i = written; i < written + blocks; i++) {
      const until = Math.min(end, (i + 1) * REFCOUNTS_PER_BLOCK);
      for (; this.#clusters < until; this.#clusters++) this.#set(this.#clusters, 1);
      this.#offsets.push(this.#append(this.#block));
      this.#block = Buffer.alloc(CLUSTER_BYTES);
    }
    const table = Buffer.alloc(tables * CLUSTER_BYTES);
    this.#offsets.forEach((offset, i) => writeEntry(table, i, offset, 0, 0));
    return { refcountTableOffset: this.#append(table), refcountTableClusters: tables };
  }

  #count(refcount: number): void {
    this.#set(this.#clusters, refcount);
    this.#clusters++;
    if (this.#clusters % REFCOUNTS_PER_BLOCK !== 0) return;
    this.#full.push(this.#block);
    this.#block = Buffer.alloc(CLUSTER_BYTES);
  }

  #set(cluster: number, refcount: number): void {
    this.#block.writeUInt16BE(refcount, (cluster % REFCOUNTS_PER_BLOCK) * 2);
  }
}
