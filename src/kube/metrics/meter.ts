/** What the runtime tells of its own work; metrics make numbers of it. */
export interface Meter {
  /** One reconcile ended. `result` is the kind of its outcome, or `Error`. */
  reconciled(controller: string, result: string, seconds: number): void;
  /** A controller's queue, to be asked at any time. */
  queue(controller: string, depth: () => QueueDepth): void;
  /** The API server answered. `code` is the HTTP status, or the reason for which there was none. */
  requested(verb: string, resource: string, code: string, seconds: number): void;
}

export interface QueueDepth {
  readonly ready: number;
  readonly delayed: number;
  readonly running: number;
}
