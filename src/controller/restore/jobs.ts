import { type PlannedClaim, type VMRestore, vmRestores } from '../../crds/vmrestore.ts';
import {
  diskPath,
  type MoverJob,
  mountedDisk,
  mountedState,
  OVERLAYS_PATH,
  REPOSITORY_PATH,
} from '../../domain/job/mover-pod.ts';
import {
  checkJobName,
  forgetJobName,
  restoreLabels,
  verifyJobName,
  writeJobName,
} from '../../domain/restore/names.ts';
import type { RestoreSource } from '../../domain/restore/source.ts';

/** Looks whether all is there, and tells what the VM was. */
export function checkJob(restore: VMRestore, source: RestoreSource, image: string): MoverJob {
  const args = ['inspect', directoryOf(source), '--definitions', '--json'];
  return { ...common(restore, source, image), name: checkJobName(restore), args };
}

/** Proves every block of the chain. */
export function verifyJob(restore: VMRestore, source: RestoreSource, image: string): MoverJob {
  const args = ['verify', directoryOf(source), '--chain', '--json'];
  return { ...common(restore, source, image), name: verifyJobName(restore), args };
}

/** Writes one claim. It is our own: what an earlier pod left in it is of no use to anybody. */
export function writeJob(
  restore: VMRestore,
  source: RestoreSource,
  image: string,
  claim: PlannedClaim,
): MoverJob {
  const from = ['restore', '--from', directoryOf(source), '--volume', claim.volume];
  const disk = mountedDisk(claim.volume, claim);
  const args = [...from, '--to', diskPath(disk), '--overwrite', '--json'];
  return {
    ...common(restore, source, image),
    name: writeJobName(restore, claim.volume),
    args,
    claims: [disk],
  };
}

/** Removes the overlays of the restored volumes from the claim with the VM's state; the VM does not run. */
export function forgetJob(
  restore: VMRestore,
  source: RestoreSource,
  image: string,
  claimName: string,
): MoverJob {
  const volumes = restore.status?.plan?.claims.flatMap(({ volume }) => ['--volume', volume]) ?? [];
  return {
    ...common(restore, source, image),
    name: forgetJobName(restore, claimName),
    args: ['forget-changes', OVERLAYS_PATH, ...volumes, '--json'],
    claims: [mountedState(claimName)],
  };
}

/** It sees the backups of one namespace, and cannot change them. */
function common(
  restore: VMRestore,
  { repository, path }: RestoreSource,
  image: string,
): Omit<MoverJob, 'name' | 'args'> {
  const { namespace = '', name, uid } = restore.metadata;
  const [cluster, from] = path.split('/');
  return {
    namespace,
    labels: restoreLabels(restore),
    owner: { apiVersion: vmRestores.apiVersion, kind: vmRestores.kind, name, uid },
    image,
    program: 'mover',
    retries: 2,
    claims: [],
    repository: { spec: repository.spec, subdirectory: `${cluster}/${from}`, readOnly: true },
  };
}

function directoryOf({ path }: RestoreSource): string {
  return `${REPOSITORY_PATH}/${path}`;
}
