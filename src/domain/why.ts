/** Why something is as it is. The same in condition, event, metric label and log. */
export interface Why {
  /** One PascalCase word, stable. */
  readonly reason: string;
  /** A sentence for people, which says what to do if there is something to do. */
  readonly message: string;
}

/** Cuts a sentence to what the API takes. */
export function clip(message: string, maxLength = 1024): string {
  return message.length <= maxLength ? message : `${message.slice(0, maxLength - 1)}…`;
}
