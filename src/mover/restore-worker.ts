import { parentPort, workerData } from 'node:worker_threads';
import { ProvenFile } from './repository/proven-file.ts';
import { PieceMover } from './restore-pieces.ts';
import { type FromThread, packFailure, type ThreadStart, type ToThread } from './restore-wire.ts';
import { targetError } from './target-error.ts';
import { writeFully } from './write-fully.ts';

/** One thread of a restore: reads, proves, writes, one piece after the other, each in the cache from the first to the last. */

// The crew that starts this thread is the only one to send anything.
const start: ThreadStart = workerData;
const { images, targetFd, targetPath, stop } = start;
const port = parentPort!;
const tell = (message: FromThread): void => port.postMessage(message);
const stopped = new Int32Array(stop);

const sources = images.map((image) => new ProvenFile(image));
const mover = new PieceMover(sources, (bytes, offset) => {
  try {
    writeFully(targetFd, bytes, offset);
  } catch (cause) {
    throw targetError('write', targetPath, cause);
  }
});

/** Often enough for a bar, and for a stall to be noticed. */
const TELL_BYTES = 4 * 1024 * 1024;
let toldRead = 0;

function tellMoved(bytes: number): void {
  const read = sources.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  tell({ kind: 'moved', bytes, bytesRead: read - toldRead });
  toldRead = read;
}

port.on('message', ({ stretches }: ToThread) => {
  try {
    let bytes = 0;
    for (const moved of mover.move(stretches)) {
      if (Atomics.load(stopped, 0) !== 0) return;
      bytes += moved;
      if (bytes >= TELL_BYTES) {
        tellMoved(bytes);
        bytes = 0;
      }
    }
    tellMoved(bytes);
    tell({ kind: 'batch-done' });
  } catch (error) {
    tell({ kind: 'failed', failure: packFailure(error) });
  }
});
