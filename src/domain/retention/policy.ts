/** Which points of one VM are kept. What no rule keeps, and no kept point stands on, goes. */
export interface RetentionPolicy {
  readonly keepLast?: number | undefined;
  readonly keepHourly?: number | undefined;
  readonly keepDaily?: number | undefined;
  readonly keepWeekly?: number | undefined;
  readonly keepMonthly?: number | undefined;
  readonly keepYearly?: number | undefined;
  /** Such as `1y6m2w3d12h`, counted back from the newest good point: when backups stop, nothing vanishes. */
  readonly keepWithin?: string | undefined;
  readonly keepTags?: readonly string[] | undefined;
}

/** One backup whose data is in the repository, as retention sees it. */
export interface Point {
  readonly name: string;
  /** Its directory in the repository. */
  readonly path: string;
  /** The directories that its images stand on; empty for a full. */
  readonly parents: readonly string[];
  /** The instant that it stands for, in milliseconds since the epoch. */
  readonly takenAt: number;
  readonly bytes: number;
  readonly tags: readonly string[];
  readonly held: boolean;
  /** Whether its data, or data that it stands on, is known to be damaged: it is no good point then. */
  readonly damaged: boolean;
  /** Whether this policy decides on it. Others are kept, and what they stand on with them. */
  readonly decided: boolean;
}

/** Why a point is kept. */
export type KeepRule =
  | 'Hold'
  | 'NewestGood'
  | 'KeepLast'
  | 'KeepHourly'
  | 'KeepDaily'
  | 'KeepWeekly'
  | 'KeepMonthly'
  | 'KeepYearly'
  | 'KeepWithin'
  | 'KeepTags'
  | 'NotOfThisSchedule'
  /** No rule wants it: it stays only because a kept point stands on it. */
  | 'CarriesOthers';

export interface KeepReason {
  readonly rule: KeepRule;
  /** The day, the week, the tag, … that it is kept for; empty where there is none. */
  readonly detail: string;
}

export interface KeptPoint {
  readonly point: Point;
  /** Never empty. */
  readonly reasons: readonly KeepReason[];
}

/** Both lists newest first; together they are all points that were given. */
export interface Retention {
  readonly keep: readonly KeptPoint[];
  readonly remove: readonly Point[];
}
