import { jobs, type Pod } from '../../crds/core.ts';
import { type JobStanding, jobStanding } from '../../domain/job/job-standing.ts';
import { moverJob, type MoverJob } from '../../domain/job/mover-pod.ts';
import type { Cache } from '../../kube/cache.ts';
import type { Job } from '../../crds/core.ts';
import type { Kube } from '../../kube/client.ts';
import { AlreadyExists, KubeError } from '../../kube/errors.ts';
import type { Ref } from '../../kube/kind.ts';

/** The label by which a Job's controller marks its pods. */
const JOB_NAME_LABEL = 'batch.kubernetes.io/job-name';

/** What the controller knows of Jobs and their pods. */
export interface JobCaches {
  readonly jobs: Cache<Job>;
  readonly jobPods: Cache<Pod>;
}

/** Looks where a Job stands; asks a running one how far it is. */
export async function lookAtJob(
  { jobs, jobPods }: JobCaches,
  kube: Kube,
  ref: Ref,
  signal: AbortSignal,
): Promise<JobStanding> {
  const job = jobs.get(ref);
  const pods = podsOf(jobPods, ref);
  const running = pods.find(({ status }) => status?.containerStatuses?.some(({ state }) => state?.running));
  const lastLine = running === undefined ? undefined : await logOf(kube, running.metadata, 1, signal);
  return jobStanding({ job, pods, lastLine });
}

/** All that a Job that has ended said; undefined if its pod is gone. */
export async function logOfJob(
  { jobPods }: JobCaches,
  kube: Kube,
  ref: Ref,
  signal: AbortSignal,
): Promise<string | undefined> {
  const done = podsOf(jobPods, ref).find(
    ({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed',
  );
  return done === undefined ? undefined : await logOf(kube, done.metadata, 1000, signal);
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
async function logOf(
  kube: Kube,
  ref: Ref,
  tailLines: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return await kube.podLog(ref, { tailLines }, signal);
  } catch (error) {
    if (error instanceof KubeError) return undefined;
    throw error;
  }
}
