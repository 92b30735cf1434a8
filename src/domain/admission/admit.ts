import type { Claim, Contender } from './contender.ts';

/** Whether it is a backup's turn. */
export type Turn =
  | { readonly kind: 'Begin' }
  | {
      readonly kind: 'Queued';
      /** Its place among those that wait for the same repository, from 1, and how many they are. */
      readonly place: number;
      readonly of: number;
      /** The slot that is not free. */
      readonly waitsFor: Claim;
    };

/** One step of priority is worth so much waiting. Milliseconds. */
export const PRIORITY_STEP_MS = 900_000;
/** Whoever waited for so long keeps a slot free that he needs, while he waits for another one. Milliseconds. */
export const RESERVE_AFTER_MS = 1_800_000;

/**
 * Whose turn it is. In order of lateness, where each step of priority counts as {@link PRIORITY_STEP_MS} of waiting, everyone gets
 * his slots if all of them are free; whoever comes after him may begin if others than his are free, so a node with much to do holds
 * up nobody elsewhere. Nobody waits for ever:
 *
 * - a backup that came later than so much waiting as the priorities make up for never goes first;
 * - who waits for two slots that become free in turns, and sees each taken by others meanwhile, keeps them after {@link RESERVE_AFTER_MS}.
 *
 * @param now milliseconds since the epoch
 */
export function admit(contenders: readonly Contender[], now: number): ReadonlyMap<string, Turn> {
  const taken = new Map<string, number>();
  const isFree = ({ key, limit }: Claim) => (taken.get(key) ?? 0) < limit;
  const take = ({ key }: Claim) => taken.set(key, (taken.get(key) ?? 0) + 1);
  for (const { isRunning, claims } of contenders) if (isRunning) claims.forEach(take);
  const turns = new Map<string, Turn>();
  const queues = new Map<string, { place: number; of: number; waitsFor: Claim; kind: 'Queued' }[]>();
  for (const contender of inOrder(contenders.filter(({ isRunning }) => !isRunning))) {
    const { uid, repository, claims, createdAt } = contender;
    const waitsFor = claims.find((claim) => !isFree(claim));
    if (waitsFor === undefined) {
      claims.forEach(take);
      turns.set(uid, { kind: 'Begin' });
      continue;
    }
    if (now - createdAt >= RESERVE_AFTER_MS) claims.filter(isFree).forEach(take);
    const queue = queues.get(repository) ?? [];
    queues.set(repository, queue);
    const turn = { kind: 'Queued' as const, place: queue.length + 1, of: 0, waitsFor };
    queue.push(turn);
    turns.set(uid, turn);
  }
  for (const queue of queues.values()) for (const turn of queue) turn.of = queue.length;
  return turns;
}

/** The latest first, as far as the priorities do not make up for it. */
export function inOrder(waiting: readonly Contender[]): readonly Contender[] {
  return waiting.toSorted((a, b) => orderOf(a) - orderOf(b) || (a.uid < b.uid ? -1 : 1));
}

function orderOf({ createdAt, priority }: Contender): number {
  return createdAt - priority * PRIORITY_STEP_MS;
}
