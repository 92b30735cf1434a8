import type { Event, Job, Pod } from '../../crds/core.ts';
import { jsonOrNothing } from '../json-or-nothing.ts';
import { ErrorEvent, ProgressEvent, VerifyResult } from '../mover-report.ts';
import { clip, type Why } from '../why.ts';
import { REPOSITORY_PATH } from './mover-pod.ts';

/** Where the work of one Job stands. */
export type JobStanding =
  /** No such Job. */
  | { readonly kind: 'Absent' }
  /** Its pod has not begun. */
  | {
      readonly kind: 'Waiting';
      readonly why: Why;
      /** When the pod that does not begin was made, or the Job that gets none; left out between two pods. RFC 3339. */
      readonly since?: string | undefined;
    }
  | {
      readonly kind: 'Running';
      readonly progress: ProgressEvent | undefined;
      /** Of its log. */
      readonly lastLine: string | undefined;
    }
  | { readonly kind: 'Succeeded' }
  | { readonly kind: 'Failed'; readonly why: Why };

/** What tells where a Job stands. */
export interface ObservedJob {
  readonly job: Job | undefined;
  /** Its pods. */
  readonly pods: readonly Pod[];
  /** The last line of the log of the pod that runs, or that failed; undefined if it was not read. */
  readonly lastLine?: string | undefined;
}

/** What the mover says last when it fails, as far as people are told. */
const Failure = ErrorEvent.pick({ event: true, reason: true, message: true });

/** What another pod of the same Job would find just so: there is no need to write the disk thrice to learn that it does not fit. */
const STAYS = /^Target(Full|TooSmall|ReadOnly|Denied|Exists|Unsuitable)$/;

/** Reads where a Job stands, in words that help whoever looks at three in the morning. */
export function jobStanding({ job, pods, lastLine }: ObservedJob): JobStanding {
  if (job === undefined) return { kind: 'Absent' };
  const ended = job.status?.conditions?.find(
    ({ type, status }) => status === 'True' && /^(Complete|Failed)$/.test(type),
  );
  if (ended?.type === 'Complete') return { kind: 'Succeeded' };
  const pod = newest(pods);
  const terminated = containerOf(pod)?.terminated;
  if (ended !== undefined) {
    const said = terminated === undefined ? undefined : failureOf(terminated, lastLine);
    const message = ended.message ?? 'no pod tells why';
    return { kind: 'Failed', why: said ?? { reason: ended.reason ?? 'JobFailed', message } };
  }
  if (terminated !== undefined && terminated.exitCode !== 0) {
    const why = failureOf(terminated, lastLine);
    if (STAYS.test(why.reason)) return { kind: 'Failed', why };
    return { kind: 'Waiting', why: { ...why, message: clip(`It is tried again after: ${why.message}`) } };
  }
  if (containerOf(pod)?.running !== undefined)
    return { kind: 'Running', progress: progressOf(lastLine), lastLine };
  const since = (pod ?? job).metadata.creationTimestamp;
  return { kind: 'Waiting', why: waitingFor(job, pod), since };
}

/** The line of a mover's log that is a JSON object of this event; undefined if there is none. */
export function eventIn(log: string, event: string): unknown {
  for (const line of log.trimEnd().split('\n').toReversed()) {
    const said = jsonOrNothing(line);
    if (typeof said === 'object' && said !== null && 'event' in said && said.event === event) return said;
  }
  return undefined;
}

/** The newest of the warnings about a pod that does not begin, or about a Job that gets no pod; undefined if there is none. */
export function waitingWarning(name: string, warnings: readonly Event[]): Why | undefined {
  const newest = [...warnings].sort((a, b) => (toldAt(a) < toldAt(b) ? 1 : -1))[0];
  if (newest === undefined) return undefined;
  return { reason: newest.reason ?? 'PodPending', message: clip(`'${name}': ${newest.message ?? ''}`) };
}

function toldAt({ lastTimestamp, eventTime, metadata }: Event): string {
  return lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '';
}

function waitingFor(job: Job, pod: Pod | undefined): Why {
  const named = `Job '${job.metadata.name}'`;
  if (pod === undefined)
    return { reason: 'PodPending', message: `${named} has no pod yet: kubectl describe job tells why.` };
  const where = `Pod '${pod.metadata.name}'`;
  const waiting = containerOf(pod)?.waiting;
  if (waiting?.reason !== undefined && waiting.reason !== 'ContainerCreating')
    return { reason: waiting.reason, message: clip(`${where}: ${waiting.message ?? waiting.reason}`) };
  const unscheduled = pod.status?.conditions?.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  if (unscheduled !== undefined)
    return {
      reason: unscheduled.reason ?? 'Unschedulable',
      message: clip(`${where}: ${unscheduled.message ?? 'no node takes it'}`),
    };
  return {
    reason: 'PodPending',
    message: `${where} waits for its volumes or its image: kubectl describe pod tells which.`,
  };
}

function failureOf(
  { exitCode, reason, message = '' }: NonNullable<ReturnType<typeof containerOf>>['terminated'] & object,
  lastLine: string | undefined,
): Why {
  const said = Failure.safeParse(eventIn(message, 'error'));
  if (said.success) return { reason: said.data.reason, message: clip(inRepository(said.data.message)) };
  // A verification tells all that it found, which may be more than fits a termination message.
  const verified = VerifyResult.safeParse(jsonOrNothing(lastLine ?? ''));
  if (verified.success && verified.data.faults[0]) {
    const { faults } = verified.data;
    const more = faults.length === 1 ? '' : ` (and ${faults.length - 1} more)`;
    return { reason: faults[0]!.reason, message: clip(`${inRepository(faults[0]!.message)}${more}`) };
  }
  if (reason === 'OOMKilled')
    return {
      reason,
      message: 'The mover needed more memory than its limit: that is a fault, please report it.',
    };
  return {
    reason: 'MoverFailed',
    message: clip(
      `The mover ended with exit code ${exitCode}: ${message.trim() || (reason ?? 'it said nothing')}`,
    ),
  };
}

/** Where the Job has it mounted says nothing to who reads paths below the repository's root everywhere else. */
function inRepository(message: string): string {
  return message.replaceAll(`${REPOSITORY_PATH}/`, '');
}

function containerOf(pod: Pod | undefined) {
  return pod?.status?.containerStatuses?.[0]?.state;
}

/** A Job whose pod was lost has several. */
function newest(pods: readonly Pod[]): Pod | undefined {
  return [...pods].sort((a, b) =>
    (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1,
  )[0];
}

function progressOf(line: string | undefined): ProgressEvent | undefined {
  const said = ProgressEvent.safeParse(jsonOrNothing(line ?? ''));
  return said.success ? said.data : undefined;
}
