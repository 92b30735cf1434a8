import { z } from 'zod';
import type { VMRestore } from '../../crds/vmrestore.ts';
import { eventIn } from '../../domain/job/job-standing.ts';
import { Inspection } from '../../domain/restore/inspection.ts';
import { checkJobName, RESTORE_LABEL } from '../../domain/restore/names.ts';
import type { RestoreWorld } from '../../domain/restore/step.ts';
import { clip } from '../../domain/why.ts';
import type { Kube } from '../../kube/client.ts';
import type { Ref } from '../../kube/kind.ts';
import type { Caches } from '../caches.ts';
import { logOfJob, lookAtJob } from '../job/mover-jobs.ts';
import { withFirmwareUuid } from './legacy-uuid.ts';

/** Gathers what the decision on one restore looks at. */
export async function observeRestore(
  caches: Caches,
  kube: Kube,
  clusterId: string,
  restore: VMRestore,
  signal: AbortSignal,
): Promise<RestoreWorld> {
  const { namespace, uid } = restore.metadata;
  const { backupName, repositoryPath } = restore.spec.source;
  const backup = backupName === undefined ? undefined : caches.backups.get({ namespace, name: backupName });
  const repositoryName =
    restore.status?.plan?.repository ?? backup?.spec.repository ?? repositoryPath?.repository;
  const { newVM, inPlace } = restore.spec.target;
  const vmName = newVM?.name ?? inPlace?.vmName;
  const ours = caches.jobs.list(
    ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[RESTORE_LABEL] === uid,
  );
  const jobs = await Promise.all(
    ours.map(
      async ({ metadata }) => [metadata.name, await lookAtJob(caches, kube, metadata, signal)] as const,
    ),
  );
  const standings = new Map(jobs);
  const check = { namespace, name: checkJobName(restore) };
  const claims = caches.views.claimsIn(namespace ?? '').map((claim) => [claim.metadata.name, claim] as const);
  const told =
    standings.get(check.name)?.kind === 'Succeeded'
      ? await readInspection(caches, kube, check, signal)
      : { inspection: undefined };
  const vmUid = told.inspection?.backup?.vmUid;
  return {
    restore,
    backup,
    repository: repositoryName === undefined ? undefined : caches.repositories.get({ name: repositoryName }),
    clusterId,
    jobs: standings,
    ...told,
    original: vmUid === undefined ? undefined : caches.vms.list(({ metadata }) => metadata.uid === vmUid)[0],
    claims: new Map(claims),
    vm: vmName === undefined ? undefined : caches.vms.get({ namespace, name: vmName }),
    vmi: vmName === undefined ? undefined : caches.vmis.get({ namespace, name: vmName }),
  };
}

async function readInspection(
  caches: Caches,
  kube: Kube,
  check: Ref,
  signal: AbortSignal,
): Promise<Pick<RestoreWorld, 'inspection' | 'unreadable'>> {
  const log = await logOfJob(caches, kube, check, signal);
  if (typeof log !== 'string') return { inspection: undefined, ...(log && { unreadable: log }) };
  const read = Inspection.safeParse(eventIn(log, 'result'));
  if (read.success)
    return { inspection: { ...read.data, definitions: withFirmwareUuid(read.data.definitions) } };
  const message = clip(
    `The backup's manifest does not hold what a restore needs: ${z.prettifyError(read.error)}`,
  );
  return { inspection: undefined, unreadable: { reason: 'BackupUnreadable', message } };
}
