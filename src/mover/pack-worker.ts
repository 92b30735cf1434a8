import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { PLAIN, packCluster } from './pack/pack-cluster.ts';
import type { FromThread, PackerStart, ToThread } from './pack/wire.ts';
import { CLUSTER_BYTES } from './qcow2/layout.ts';

/** One thread of a packer: compresses one slab after another. */

// The packer that starts this thread is the only one to send anything.
const { level }: PackerStart = workerData;
const port = parentPort!;

// On Linux, of this thread alone: reading and writing go first, so that this has always something to do.
setPriority(0, 5);

port.on('message', ({ clusters, frames, length }: ToThread) => {
  const sizes: number[] = [];
  for (let at = 0; at < length; at += CLUSTER_BYTES) {
    const cluster = Buffer.from(clusters, at, CLUSTER_BYTES);
    const frame = Buffer.from(frames, at, CLUSTER_BYTES);
    sizes.push(packCluster(cluster, level, frame, sizes.at(-1) === PLAIN));
  }
  port.postMessage(sizes satisfies FromThread);
});
