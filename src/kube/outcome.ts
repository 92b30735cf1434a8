/** How one reconcile ended. A thrown error means: try again after a backoff. */
export type Outcome =
  /** Nothing is left to do until something changes. */
  | { readonly kind: 'Done' }
  /** Look again after so many milliseconds. */
  | { readonly kind: 'Again'; readonly afterMs: number }
  /** Someone else must move first; look again after so many milliseconds, or when something changes. */
  | { readonly kind: 'Waiting'; readonly reason: string; readonly message: string; readonly afterMs: number }
  /** A person must act: not tried again before something changes. */
  | { readonly kind: 'Stalled'; readonly reason: string; readonly message: string };

export function Done(): Outcome {
  return { kind: 'Done' };
}

export function Again(afterMs: number): Outcome {
  return { kind: 'Again', afterMs };
}

export function Waiting(reason: string, message: string, afterMs: number): Outcome {
  return { kind: 'Waiting', reason, message, afterMs };
}

export function Stalled(reason: string, message: string): Outcome {
  return { kind: 'Stalled', reason, message };
}
