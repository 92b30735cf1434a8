import { parseQuantity } from './quantity.ts';

/** What a node's agent was told of bandwidth. */
export interface NodeBandwidth {
  /** Bytes per second of one backup; no limit if undefined. */
  readonly perBackup: number | undefined;
  /** How many backups the agent carries out at the same time. */
  readonly maxBackups: number;
}

/**
 * Bytes per second that one backup may read; undefined for no limit. What a repository allows a node is divided by the number of
 * backups that the node runs at most, not by those that run now: so the limit holds at every instant, whoever begins or ends.
 */
export function bandwidthOf(
  { perBackup, maxBackups }: NodeBandwidth,
  ofRepository: string | undefined,
): number | undefined {
  const whole = ofRepository === undefined ? undefined : parseQuantity(ofRepository);
  const share = whole === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(whole / maxBackups));
  const least = Math.min(share, perBackup ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(least) ? least : undefined;
}
