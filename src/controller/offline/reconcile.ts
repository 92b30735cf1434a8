import { type Execution, type Plan, type VMBackup, vmBackups } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { DefinitionMissing, readVmObjects } from '../../definitions/read.ts';
import { describeVm, type VmObjects } from '../../domain/definitions/describe.ts';
import { BACKUP_LABEL } from '../../domain/executor.ts';
import { eventIn } from '../../domain/job/job-standing.ts';
import { OfflineWord } from '../../domain/offline-order.ts';
import type { Why } from '../../domain/why.ts';
import { isStopped } from '../../domain/world.ts';
import type { Kube } from '../../kube/client.ts';
import type { Ref } from '../../kube/kind.ts';
import { Again, Done, type Outcome } from '../../kube/outcome.ts';
import { writeStatus } from '../../kube/status.ts';
import type { Caches } from '../caches.ts';
import { ensureJob, logOfJob, lookAtJob, removeJob } from '../job/mover-jobs.ts';
import type { Tools } from '../report.ts';
import { offlineJob } from './job.ts';

/** `status.execution` is what the executor says: of a stopped VM's backup its Job, which cannot write itself, under the agents' name. */
const WRITER = { fieldManager: 'tidemark-node-agent', fields: ['execution'] } as const;

/** How often a Job that runs is asked how far it is. Milliseconds. */
const LOOK_AGAIN_MS = 3000;

/**
 * Brings the Job of a stopped VM's backup on, and writes what it says to `status.execution`. A Job of another attempt goes, and every Job
 * goes at once when the VM starts: it would wait for its disks.
 */
export async function reconcileOffline(
  caches: Caches,
  { image }: { readonly image: string },
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const backup = caches.backups.get(key);
  if (backup === undefined) return Done();
  const { namespace, uid } = backup.metadata;
  const named = { namespace, name: backup.spec.vmName };
  const plan = wanted(backup, isStopped({ vm: caches.vms.get(named), vmi: caches.vmis.get(named) }));
  for (const { metadata } of caches.jobs.list(({ metadata }) => metadata.labels?.[BACKUP_LABEL] === uid))
    if (metadata.name !== plan?.job) await removeJob(tools.kube, metadata, signal);
  if (plan?.job === undefined) return Done();
  const repository = caches.repositories.get({ name: backup.spec.repository });
  if (repository === undefined) return Again(LOOK_AGAIN_MS);
  const ref = { namespace, name: plan.job };
  const standing = await lookAtJob(caches, tools.kube, ref, signal);
  switch (standing.kind) {
    case 'Absent': {
      const made = await begin(caches, tools, { backup, repository, plan, image }, signal);
      return made ? Again(LOOK_AGAIN_MS) : Done();
    }
    case 'Waiting':
      return Again(LOOK_AGAIN_MS);
    case 'Running':
      await tell(tools.kube, backup, executionIn(standing.lastLine), signal);
      return Again(LOOK_AGAIN_MS);
    case 'Succeeded':
      return await ofSucceeded(caches, tools.kube, backup, ref, signal);
    case 'Failed': {
      const log = await logOfJob(caches, tools.kube, ref, signal);
      const said = typeof log === 'string' ? executionIn(log) : undefined;
      const failed = said?.error ? said : failedExecution(backup, plan, standing.why, tools.clock.now());
      await tell(tools.kube, backup, failed, signal);
      return Done();
    }
  }
}

/** Reads what the VM is, and makes the Job; false if it cannot be backed up as planned, which `status.execution` then says. */
async function begin(
  caches: Caches,
  tools: Tools,
  { backup, plan, ...rest }: Begin,
  signal: AbortSignal,
): Promise<boolean> {
  const { namespace = '' } = backup.metadata;
  const refuse = async (why: Why) => {
    await tell(tools.kube, backup, failedExecution(backup, plan, why, tools.clock.now()), signal);
    return false;
  };
  const vm = { namespace, name: backup.spec.vmName };
  const claims = plan.disks.map(({ claim }) => claim?.name ?? '');
  try {
    const objects = await readVmObjects(tools.kube, vm, claims, signal);
    const why = replaced(plan, objects);
    if (why !== undefined) return await refuse(why);
    await ensureJob(tools.kube, offlineJob({ backup, ...rest }, plan, describeVm(objects), caches), signal);
    return true;
  } catch (error) {
    if (error instanceof DefinitionMissing) return await refuse(error);
    throw error;
  }
}

interface Begin {
  readonly backup: VMBackup;
  readonly repository: VMBackupRepository;
  readonly plan: Plan;
  readonly image: string;
}

/** Between plan and Job the VM may have been made anew, or a claim under its old name. */
function replaced({ vmUid, disks }: Plan, { machine, claims }: VmObjects): Why | undefined {
  if (machine.metadata.uid !== vmUid)
    return { reason: 'VMReplaced', message: 'The VM was made anew since this attempt was planned.' };
  const disk = disks.find(({ claim }, at) => claims[at]?.metadata.uid !== claim?.uid);
  if (disk === undefined) return undefined;
  const message = `Volume '${disk.volume}' has another PersistentVolumeClaim than '${disk.claim?.name}' of when this attempt was planned.`;
  return { reason: 'DiskReplaced', message };
}

/** What an executor says of which nothing more is heard. */
function failedExecution(
  { status }: VMBackup,
  { attempt, job = '' }: Plan,
  { reason, message }: Why,
  now: number,
): Execution {
  const completedAt = new Date(now).toISOString();
  const startedAt = status?.execution?.attempt === attempt ? status.execution.startedAt : completedAt;
  return { attempt, agent: job, startedAt, completedAt, error: { reason, message, final: false } };
}

/** The plan, if it wants a Job now. */
function wanted({ metadata, status }: VMBackup, isVmStopped: boolean): Plan | undefined {
  const { plan, execution, phase } = status ?? {};
  if (plan?.job === undefined || !isVmStopped || metadata.deletionTimestamp !== undefined) return undefined;
  const isOver = execution?.attempt === plan.attempt && execution.completedAt !== undefined;
  return isOver || phase === 'Failed' ? undefined : plan;
}

/** A last word that is lost is said again: the Job finds what it committed. */
async function ofSucceeded(
  caches: Caches,
  kube: Kube,
  backup: VMBackup,
  ref: Ref,
  signal: AbortSignal,
): Promise<Outcome> {
  const log = await logOfJob(caches, kube, ref, signal);
  // Its node does not answer; the pod is still there.
  if (typeof log === 'object') return Again(LOOK_AGAIN_MS);
  const said = executionIn(log);
  if (said?.completedAt === undefined) await removeJob(kube, ref, signal);
  else await tell(kube, backup, said, signal);
  return Done();
}

async function tell(
  kube: Kube,
  backup: VMBackup,
  execution: Execution | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (execution === undefined || execution.attempt !== backup.status?.plan?.attempt) return;
  await writeStatus(kube, vmBackups, backup, { execution }, WRITER, signal);
}

function executionIn(log: string | undefined): Execution | undefined {
  const word = OfflineWord.safeParse(eventIn(log ?? '', 'execution'));
  return word.success ? word.data.execution : undefined;
}
