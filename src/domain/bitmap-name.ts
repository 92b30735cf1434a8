const PREFIX = 'backup-';

/**
 * The name of a new checkpoint and bitmap: `backup-<epoch seconds>`, higher than every name that the VM's backups used
 * before. Two attempts in one second, or a clock that was set back, get the next free second.
 * @param nowMs milliseconds since the epoch
 * @param earlier every bitmap name planned or made for this VM; names of another form are passed over
 */
export function nextBitmapName(nowMs: number, earlier: Iterable<string>): string {
  let seconds = Math.floor(nowMs / 1000);
  for (const name of earlier) seconds = Math.max(seconds, (bitmapSeconds(name) ?? -1) + 1);
  return `${PREFIX}${seconds}`;
}

/** The seconds in a bitmap's name; undefined if it is none of ours. */
export function bitmapSeconds(name: string): number | undefined {
  const digits = /^backup-(\d{1,15})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
