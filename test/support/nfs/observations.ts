import type { ROUNDS } from './scenarios.ts';
import type { Left } from './stage.ts';

/** What the guest writes down for the test on the host to judge. */

type AllOf<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer All) => void
  ? All
  : never;
type Scenarios = AllOf<(typeof ROUNDS)[number]>;

/** One scenario: what it saw, or why it could not go on; and what was left a little after its round. */
export interface Observation<T> {
  readonly ms: number;
  readonly seen?: T;
  readonly error?: string;
  readonly left: Left;
}

export type Observations = {
  readonly [Name in keyof Scenarios]: Observation<Awaited<ReturnType<Scenarios[Name]>>>;
};

export const OBSERVATIONS = 'observations.json';
