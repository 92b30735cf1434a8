/** What the packer and its threads say to each other. Memory is shared: only numbers cross. */

export interface PackerStart {
  /** zstd's level, 1 (quick) to 19 (small). */
  readonly level: number;
}

export interface ToThread {
  /** Whole clusters, and as much room for their frames: that of the nth begins where the nth cluster does. */
  readonly clusters: SharedArrayBuffer;
  readonly frames: SharedArrayBuffer;
  /** How many bytes of `clusters` to pack. */
  readonly length: number;
}

/** What became of each cluster: `packCluster` tells. */
export type FromThread = readonly number[];
