import type { ObjectMeta } from '../../crds/api.ts';
import { events, type Job, jobs, type Pod } from '../../crds/core.ts';
import { type JobStanding, jobStanding, waitingWarning } from '../../domain/job/job-standing.ts';
import { type MoverJob, moverJob } from '../../domain/job/mover-pod.ts';
import { clip, type Why } from '../../domain/why.ts';
import type { Cache } from '../../kube/cache.ts';
import type { Kube } from '../../kube/client.ts';
import { AlreadyExists, KubeError, NotFound } from '../../kube/errors.ts';
import type { Ref } from '../../kube/kind.ts';

/** The label by which a Job's controller marks its pods. */
const JOB_NAME_LABEL = 'batch.kubernetes.io/job-name';

/** What the controller knows of Jobs and their pods. */
export interface JobCaches {
  readonly jobs: Cache<Job>;
  readonly jobPods: Cache<Pod>;
}

/** Looks where a Job stands: asks a running one how far it is, a failed one why, and the cluster what holds up one that does not begin. */
export async function lookAtJob(
  { jobs, jobPods }: JobCaches,
  kube: Kube,
  ref: Ref,
  signal: AbortSignal,
): Promise<JobStanding> {
  const job = jobs.get(ref);
  const pods = podsOf(jobPods, ref);
  const speaker = pods.find(
    ({ status }) =>
      status?.phase === 'Failed' || status?.containerStatuses?.some(({ state }) => state?.running),
  );
  const lastLine = speaker === undefined ? undefined : await lastLineOf(kube, speaker.metadata, signal);
  const standing = jobStanding({ job, pods, lastLine });
  if (job === undefined || standing.kind !== 'Waiting' || standing.why.reason !== 'PodPending')
    return standing;
  const warning = await warningOf(kube, pods[0]?.metadata ?? job.metadata, signal);
  return warning === undefined ? standing : { ...standing, why: warning };
}

/** All that a Job that has ended said; undefined if its pod is gone, and why if its node does not tell. */
export async function logOfJob(
  { jobPods }: JobCaches,
  kube: Kube,
  ref: Ref,
  signal: AbortSignal,
): Promise<string | Why | undefined> {
  const done = podsOf(jobPods, ref).find(
    ({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed',
  );
  if (done === undefined) return undefined;
  try {
    return await kube.podLog(done.metadata, { tailLines: 1000 }, signal);
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    if (!(error instanceof KubeError)) throw error;
    return { reason: 'LogUnreadable', message: clip(error.message) };
  }
}

/** Makes a Job, unless it is there. */
export async function ensureJob(kube: Kube, job: MoverJob, signal: AbortSignal): Promise<void> {
  try {
    await kube.create(jobs, moverJob(job), signal);
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error;
  }
}

/** Removes a Job and its pods; fine if it is gone. */
export async function removeJob(kube: Kube, ref: Ref, signal: AbortSignal): Promise<void> {
  await kube.delete(jobs, ref, { propagationPolicy: 'Background' }, signal);
}

function podsOf(pods: Cache<Pod>, { namespace, name }: Ref): readonly Pod[] {
  return pods.list(
    ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[JOB_NAME_LABEL] === name,
  );
}

/** What a pod says is a convenience: a kubelet that does not answer stops nothing. */
async function lastLineOf(kube: Kube, ref: Ref, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await kube.podLog(ref, { tailLines: 1 }, signal);
  } catch (error) {
    if (error instanceof KubeError) return undefined;
    throw error;
  }
}

/** A mount that fails, or a pod that a policy refuses, is told nowhere else. */
async function warningOf(
  kube: Kube,
  { namespace, name, uid }: ObjectMeta,
  signal: AbortSignal,
): Promise<Why | undefined> {
  try {
    const fieldSelector = `involvedObject.uid=${uid},type=Warning`;
    const warnings = await kube.list(events, { namespace, fieldSelector }, signal);
    return waitingWarning(name, warnings);
  } catch (error) {
    if (error instanceof KubeError) return undefined;
    throw error;
  }
}
