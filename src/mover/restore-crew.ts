import { Worker } from 'node:worker_threads';
import { abortReason } from './errors.ts';
import type { Batch } from './restore-batches.ts';
import { type FromThread, type ThreadStart, type ToThread, unpackFailure } from './restore-wire.ts';

/** Unbuilt, the thread's own file; in the image, the bundle beside the mover's. */
const THREAD = new URL(
  import.meta.url.endsWith('.ts') ? './restore-worker.ts' : './mover-restore-worker.js',
  import.meta.url,
);
/** One batch is done while the next one waits, so that no thread does. */
const BATCHES_EACH = 2;

export interface CrewOptions {
  readonly threads: number;
  readonly start: Omit<ThreadStart, 'stop'>;
  readonly onMoved: (bytes: number, bytesRead: number) => void;
}

interface Thread {
  readonly worker: Worker;
  underWay: number;
}

/**
 * Threads that move batches, in any order. The first failure, or the signal, stops all of them. When `end` has returned, none
 * of them touches a descriptor any more.
 */
export class RestoreCrew {
  readonly #threads: Thread[];
  readonly #stop = new SharedArrayBuffer(4);
  readonly #signal: AbortSignal;
  readonly #onMoved: CrewOptions['onMoved'];
  #failure: Error | null = null;
  #wake: () => void = () => {};

  constructor({ threads, start, onMoved }: CrewOptions, signal: AbortSignal) {
    this.#signal = signal;
    this.#onMoved = onMoved;
    const workerData: ThreadStart = { ...start, stop: this.#stop };
    this.#threads = Array.from({ length: threads }, () => this.#startThread(workerData));
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Gives a batch to the least busy thread, as soon as one has room. @throws the first failure, or the signal's reason */
  async give(batch: Batch): Promise<void> {
    const least = (): Thread => this.#threads.reduce((a, b) => (b.underWay < a.underWay ? b : a));
    await this.#until(() => least().underWay < BATCHES_EACH);
    const thread = least();
    thread.underWay++;
    thread.worker.postMessage(batch satisfies ToThread, []);
  }

  /** Waits until all that was given is done. @throws the first failure, or the signal's reason */
  async settle(): Promise<void> {
    await this.#until(() => this.#threads.every(({ underWay }) => underWay === 0));
  }

  /** Ends all threads, in the middle of their work if need be. */
  async end(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort);
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    await Promise.all(this.#threads.map(async ({ worker }) => await worker.terminate()));
  }

  readonly #onAbort = (): void => this.#fail(abortReason(this.#signal));

  #startThread(workerData: ThreadStart): Thread {
    // Without the flags of this process: some of them are for a main thread only.
    const worker = new Worker(THREAD, { workerData, execArgv: [] });
    const thread: Thread = { worker, underWay: 0 };
    worker.on('message', (message: FromThread) => this.#hear(thread, message));
    worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    return thread;
  }

  #hear(thread: Thread, message: FromThread): void {
    if (message.kind === 'moved') this.#onMoved(message.bytes, message.bytesRead);
    else if (message.kind === 'failed') this.#fail(unpackFailure(message.failure));
    else thread.underWay--;
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    this.#wake();
  }

  async #until(isSo: () => boolean): Promise<void> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#signal.aborted) throw abortReason(this.#signal);
      if (isSo()) return;
      // One caller waits at a time: who gives, settles after.
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
