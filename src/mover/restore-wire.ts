import { Fault, type Range } from './repository/faults.ts';
import type { OpenImage } from './repository/proven-file.ts';
import type { Batch } from './restore-batches.ts';
import { TargetError } from './target-error.ts';

/** What a thread is told when it starts. Descriptors belong to the process, so all threads use the same. */
export interface ThreadStart {
  readonly images: readonly OpenImage[];
  readonly targetFd: number;
  readonly targetPath: string;
  /** One number; not 0 when the thread is to stop. */
  readonly stop: SharedArrayBuffer;
}

/** To a thread: work. There is always some more under way than it does. */
export type ToThread = Batch;

/** From a thread. */
export type FromThread =
  | { readonly kind: 'moved'; readonly bytes: number; readonly bytesRead: number }
  | { readonly kind: 'batch-done' }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** An error on its way between threads, where a class does not survive. */
export type Failure =
  | {
      readonly kind: 'fault';
      readonly faultKind: Fault['kind'];
      readonly volume: string | null;
      readonly path: string;
      readonly detail: string;
      readonly range: Range | null;
    }
  | { readonly kind: 'target'; readonly reason: string; readonly message: string }
  | { readonly kind: 'internal'; readonly message: string };

export function packFailure(error: unknown): Failure {
  if (error instanceof Fault) {
    const { kind, volume, path, detail, range } = error;
    return { kind: 'fault', faultKind: kind, volume, path, detail, range };
  }
  if (error instanceof TargetError) return { kind: 'target', reason: error.reason, message: error.message };
  return {
    kind: 'internal',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

export function unpackFailure(failure: Failure): Error {
  switch (failure.kind) {
    case 'fault': {
      const { faultKind, volume, path, detail, range } = failure;
      return new Fault(faultKind, volume, path, detail, range ? { range } : {});
    }
    case 'target':
      return new TargetError(failure.reason, failure.message);
    case 'internal':
      return new Error(`a thread failed: ${failure.message}`);
  }
}
