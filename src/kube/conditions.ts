import { timestamp } from './clock.ts';

/** A `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  /** PascalCase. */
  readonly reason: string;
  readonly message: string;
  /** When `status` took its value. */
  readonly lastTransitionTime: string;
  /** The generation of the spec that this speaks of. */
  readonly observedGeneration?: number | undefined;
}

/** What a controller wants to say; the rest of a condition follows from what was said before. */
export type Desired = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** In characters. The API allows 32768; nobody reads that far, and an event's note ends here too. */
const longestMessage = 1024;

/** Present only while True: "abnormal-true", kstatus. */
const onlyWhileTrue: ReadonlySet<string> = new Set(['Stalled', 'Reconciling']);

const order: readonly string[] = ['Stalled', 'Reconciling', 'Ready'];

/**
 * The conditions of an object by the rules of kstatus, so that `kubectl wait`, Flux and Argo CD understand them:
 * - Ready is always there. If not given, it is False when Stalled, Unknown when Reconciling, with that reason; with
 *   neither, it is True.
 * - Stalled and Reconciling are there only while True.
 * - lastTransitionTime moves only when the status does.
 * - Sorted: Stalled, Reconciling, Ready, then the others by name.
 *
 * Previous conditions that are not desired any more are left out: the caller owns the whole list.
 * Source: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
 */
export function conditionsFor(
  previous: readonly Condition[],
  desired: readonly Desired[],
  at: { readonly generation: number; readonly now: Date },
): readonly Condition[] {
  const present = desired.filter(({ type, status }) => status === 'True' || !onlyWhileTrue.has(type));
  const all = present.some(({ type }) => type === 'Ready') ? present : [...present, derivedReady(present)];
  const now = timestamp(at.now.getTime());
  return all
    .map(({ type, status, reason, message }) => {
      const before = previous.find((it) => it.type === type);
      const lastTransitionTime = before?.status === status ? before.lastTransitionTime : now;
      const said = trimmed(message);
      return { type, status, reason, message: said, lastTransitionTime, observedGeneration: at.generation };
    })
    .toSorted((a, b) => rank(a) - rank(b) || (a.type < b.type ? -1 : 1));
}

/** The condition of a type, if there is one. */
export function conditionOf(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((it) => it.type === type);
}

function derivedReady(present: readonly Desired[]): Desired {
  const stalled = present.find(({ type }) => type === 'Stalled');
  if (stalled !== undefined) return { ...stalled, type: 'Ready', status: 'False' };
  const reconciling = present.find(({ type }) => type === 'Reconciling');
  if (reconciling !== undefined) return { ...reconciling, type: 'Ready', status: 'Unknown' };
  return { type: 'Ready', status: 'True', reason: 'Succeeded', message: '' };
}

function rank(condition: Condition): number {
  const at = order.indexOf(condition.type);
  return at < 0 ? order.length : at;
}

function trimmed(message: string): string {
  if (message.length <= longestMessage) return message;
  // The cut may halve a surrogate pair, which the API server would refuse.
  return `${message.slice(0, longestMessage - 1).toWellFormed()}…`;
}
