/** Owns, by server-side apply, every status field but `execution`, which is the agent's. */
export const FIELD_MANAGER = 'tidemark-controller';
/** Names the speaker of an event. */
export const REPORTING_CONTROLLER = 'tidemark.dev/controller';
/** The Lease that the one controller that acts holds. */
export const LEADER_LEASE = 'tidemark-controller';
