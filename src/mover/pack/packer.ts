import { Worker } from 'node:worker_threads';
import type { FromThread, PackerStart, ToThread } from './wire.ts';

/** Unbuilt, the thread's own file; in the image, the bundle beside the mover's. */
const THREAD = new URL(
  import.meta.url.endsWith('.ts') ? '../pack-worker.ts' : './mover-pack-worker.js',
  import.meta.url,
);

interface Task {
  readonly message: ToThread;
  readonly resolve: (sizes: FromThread) => void;
  readonly reject: (error: Error) => void;
}

/** Threads that compress clusters, for all copies of a backup together. */
export class Packer implements AsyncDisposable {
  /** How many slabs may be with the threads at once: one in work and one that waits, for each. */
  readonly slabs: number;
  readonly #workers: Worker[];
  readonly #idle: Worker[];
  readonly #underWay = new Map<Worker, Task>();
  #waiting: Task[] = [];
  #failure: Error | null = null;

  constructor(threads: number, level: number) {
    const workerData: PackerStart = { level };
    this.#workers = Array.from({ length: threads }, () => this.#start(workerData));
    this.#idle = [...this.#workers];
    this.slabs = threads * 2;
  }

  /** Compresses the first `length` bytes. @throws Error if a thread dies, or has ended */
  async pack(message: ToThread): Promise<FromThread> {
    return await new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiting.push({ message, resolve, reject });
      this.#assign();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new Error('the packer has ended'));
    await Promise.all(this.#workers.map(async (worker) => await worker.terminate()));
  }

  #start(workerData: PackerStart): Worker {
    const worker = new Worker(THREAD, {
      workerData,
      // Without the flags of this process: some of them are for a main thread only.
      execArgv: [],
      // What a cluster leaves behind is small and short-lived; V8 would let 10 MiB of it gather before it looks.
      resourceLimits: { maxYoungGenerationSizeMb: 1 },
    });
    worker.on('message', (sizes: FromThread) => {
      this.#underWay.get(worker)?.resolve(sizes);
      this.#underWay.delete(worker);
      this.#idle.push(worker);
      this.#assign();
    });
    worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    return worker;
  }

  #assign(): void {
    while (this.#idle.length > 0 && this.#waiting.length > 0) {
      const worker = this.#idle.pop()!;
      const task = this.#waiting.shift()!;
      this.#underWay.set(worker, task);
      worker.postMessage(task.message, []);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#underWay.values(), ...this.#waiting]) reject(this.#failure);
    this.#underWay.clear();
    this.#waiting = [];
  }
}
