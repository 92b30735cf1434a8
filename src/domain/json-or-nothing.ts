/** Reads JSON; undefined for a text that is none, such as a line of a log that was cut. */
export function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
