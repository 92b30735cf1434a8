import type { Job, Pod } from '../../crds/core.ts';
import { z } from 'zod';
import { ProgressEvent } from '../mover-report.ts';
import { clip, type Why } from '../why.ts';

/** Where the work of one Job stands. */
export type JobStanding =
  /** No such Job. */
  | { readonly kind: 'Absent' }
  /** Its pod has not begun. */
  | { readonly kind: 'Waiting'; readonly why: Why }
  | { readonly kind: 'Running'; readonly progress: ProgressEvent | undefined }
  | { readonly kind: 'Succeeded' }
  | { readonly kind: 'Failed'; readonly why: Why };

/** What tells where a Job stands. */
export interface ObservedJob {
  readonly job: Job | undefined;
  /** Its pods. */
  readonly pods: readonly Pod[];
  /** The last line of the log of the pod that runs; undefined if it was not read. */
  readonly lastLine?: string | undefined;
}

/** What the mover says when it fails, as the last line of its log. */
const MoverFailure = z.object({ event: z.literal('error'), reason: z.string(), message: z.string() });

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
    const said = terminated === undefined ? undefined : failureOf(terminated);
    const message = ended.message ?? 'no pod tells why';
    return { kind: 'Failed', why: said ?? { reason: ended.reason ?? 'JobFailed', message } };
  }
  if (containerOf(pod)?.running !== undefined) return { kind: 'Running', progress: progressOf(lastLine) };
  return { kind: 'Waiting', why: waitingFor(job, pod) };
}

/** The line of a mover's log that is a JSON object of this event; undefined if there is none. */
export function eventIn(log: string, event: string): unknown {
  for (const line of log.trimEnd().split('\n').toReversed()) {
    const said = parsed(line);
    if (typeof said === 'object' && said !== null && 'event' in said && said.event === event) return said;
  }
  return undefined;
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

function failureOf({
  exitCode,
  reason,
  message = '',
}: NonNullable<ReturnType<typeof containerOf>>['terminated'] & object): Why {
  const said = MoverFailure.safeParse(eventIn(message, 'error'));
  if (said.success) return { reason: said.data.reason, message: clip(said.data.message) };
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
  const said = ProgressEvent.safeParse(parsed(line ?? ''));
  return said.success ? said.data : undefined;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}
