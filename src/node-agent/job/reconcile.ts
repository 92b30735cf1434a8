import type { Logger } from 'pino';
import type { VMBackup } from '../../crds/vmbackup.ts';
import { vmBackups } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { bandwidthOf, type NodeBandwidth } from '../../domain/bandwidth.ts';
import type { GuestLimits } from '../../domain/guest-first.ts';
import type { Kube } from '../../kube/client.ts';
import { KubeError } from '../../kube/errors.ts';
import type { Recorder } from '../../kube/events.ts';
import { refOf } from '../../kube/kind.ts';
import { Done, type Outcome, Waiting } from '../../kube/outcome.ts';
import { type Caches, migrationWanted } from '../caches.ts';
import type { Mover } from '../mover-process/mover.ts';
import type { Attempt } from './attempt.ts';
import { carryOut } from './carry-out.ts';
import { notYetEvent } from './events.ts';
import { findVm } from './find-vm.ts';
import { reportOf } from './report.ts';
import { workOf } from './work.ts';

/** What the agent's reconciler needs besides the key. */
export interface AgentContext {
  readonly nodeName: string;
  readonly podsDir: string;
  readonly kube: Kube;
  readonly caches: Caches;
  readonly moverOf: (repository: VMBackupRepository) => Mover;
  readonly limits: GuestLimits;
  readonly bandwidth: NodeBandwidth;
  readonly events: Recorder;
  readonly now: () => Date;
  readonly log: Logger;
}

/** Carries out the plan of one VMBackup, if it is planned for this node. Runs as long as the copy does. */
export async function reconcile(context: AgentContext, key: string, signal: AbortSignal): Promise<Outcome> {
  const cached = context.caches.backups.get(key);
  if (cached === undefined) return Done();
  const known = workOf(cached, context.nodeName, context.now());
  if (known.kind === 'None') return Done();
  // The cache may be older than our own last report: read the object as it is now.
  const backup = await current(context.kube, key, signal);
  if (backup === undefined) return Done();
  const work = workOf(backup, context.nodeName, context.now());
  if (work.kind === 'None') return Done();
  // A newer plan wakes us again when the cache has it: guard and sweep ask the cache, and would take its job for nobody's.
  if (work.plan.bitmap !== known.plan.bitmap) return Done();
  const repository = context.caches.repositories.get(backup.spec.repository);
  const { plan, execution } = work;
  const report = reportOf(context.kube, backup, execution);
  if (repository === undefined) {
    const reason = 'RepositoryNotFound';
    const message = `VMBackupRepository '${backup.spec.repository}' is not there.`;
    if (backup.status?.execution?.attempt !== plan.attempt) return Waiting(reason, message, 10_000);
    // It had begun: the sweep ends its job, and the controller must not take it for running.
    const error = { reason, message, final: false };
    const bitmap = execution.disks === undefined ? {} : { bitmapCreated: plan.bitmap };
    await report.end({ ...execution, ...bitmap, error, completedAt: context.now().toISOString() });
    return Done();
  }
  const attempt: Attempt = {
    backup,
    plan,
    quiesce: backup.spec.quiesce,
    report,
    mover: context.moverOf(repository),
    kube: context.kube,
    limits: context.limits,
    bandwidthLimit: bandwidthOf(context.bandwidth, repository.spec.bandwidthLimit),
    now: context.now,
    log: context.log.child({
      namespace: backup.metadata.namespace,
      name: backup.metadata.name,
      attempt: plan.attempt,
    }),
  };
  const result = await carryOut(
    attempt,
    (stop) => findVm(vmOf(context, backup), context, stop),
    wishesOf(context, backup, plan.attempt),
    signal,
  );
  if (result.kind === 'Ended') return Done();
  const { reason, message, afterMs } = result.notYet;
  context.events.record(vmBackups, backup, notYetEvent(reason, message));
  return Waiting(reason, message, afterMs);
}

async function current(kube: Kube, key: string, signal: AbortSignal): Promise<VMBackup | undefined> {
  try {
    return await kube.get(vmBackups, refOf(key), signal);
  } catch (error) {
    if (error instanceof KubeError && error.reason === 'NotFound') return undefined;
    throw error;
  }
}

function vmOf({ caches }: AgentContext, { metadata, spec }: VMBackup) {
  const vmi = caches.vmis.get({ namespace: metadata.namespace, name: spec.vmName });
  return { vmi, pods: caches.launchers.list((pod) => pod.metadata.namespace === metadata.namespace) };
}

function wishesOf({ caches, nodeName }: AgentContext, { metadata, spec }: VMBackup, attempt: number) {
  const { namespace, name, uid } = metadata;
  const now = () => caches.backups.get({ namespace, name });
  return {
    migrationWanted: () => migrationWanted(caches.vmis.get({ namespace, name: spec.vmName })),
    // A backup that was planned for another node leaves this cache, too.
    deletionWanted: () => now()?.metadata.uid !== uid || now()?.metadata.deletionTimestamp !== undefined,
    superseded: () => {
      const { plan, phase } = now()?.status ?? {};
      return plan?.attempt !== attempt || plan.nodeName !== nodeName || phase === 'Failed';
    },
  };
}
