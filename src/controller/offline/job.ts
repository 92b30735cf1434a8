import { type Plan, type VMBackup, vmBackups } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import type { Definitions } from '../../domain/definitions/describe.ts';
import { BACKUP_LABEL } from '../../domain/executor.ts';
import {
  diskPath,
  type MoverJob,
  mountedDisk,
  mountedState,
  OVERLAYS_PATH,
  REPOSITORY_PATH,
} from '../../domain/job/mover-pod.ts';
import { type OfflineOrder, orderToEnvironment } from '../../domain/offline-order.ts';
import { parseQuantity } from '../../domain/quantity.ts';
import { stateClaimOf } from '../../domain/state-claim.ts';
import type { Caches } from '../caches.ts';

/** The Job of one attempt. It sees the VM's disks and overlays, and of the repository the backups of its namespace. */
export function offlineJob(
  work: { readonly backup: VMBackup; readonly repository: VMBackupRepository; readonly image: string },
  plan: Plan,
  definitions: Definitions,
  { views, claims, vms }: Caches,
): MoverJob {
  const { backup, repository, image } = work;
  const { namespace = '', name, uid } = backup.metadata;
  const disks = plan.disks.map(({ volume, claim }) => {
    const found = claims.get({ namespace, name: claim?.name ?? '' });
    const volumeMode = found?.spec?.volumeMode === 'Block' ? 'Block' : 'Filesystem';
    return { volume, mounted: mountedDisk(volume, { claimName: claim?.name ?? '', volumeMode }) } as const;
  });
  const vm = vms.get({ namespace, name: backup.spec.vmName });
  const state =
    vm !== undefined && vm.metadata.uid === plan.vmUid
      ? stateClaimOf(vm, views.claimsIn(namespace))
      : undefined;
  const limit = parseQuantity(repository.spec.bandwidthLimit ?? '');
  const order: OfflineOrder = {
    backup: { name, namespace, uid, vmName: backup.spec.vmName },
    plan,
    definitions: { ...definitions, files: [...definitions.files] },
    disks: disks.map(({ volume, mounted }) => ({
      volume,
      path: diskPath(mounted),
      isDevice: mounted.volumeMode === 'Block',
    })),
    overlays: state === undefined ? null : OVERLAYS_PATH,
    repository: REPOSITORY_PATH,
    ...(backup.spec.compression && { compression: backup.spec.compression }),
    ...(limit !== undefined && { limitBytesPerSecond: limit }),
  };
  const [cluster, from] = plan.path.split('/');
  return {
    namespace,
    name: plan.job ?? '',
    labels: { [BACKUP_LABEL]: uid },
    owner: { apiVersion: vmBackups.apiVersion, kind: vmBackups.kind, name, uid },
    image,
    program: 'offline-backup',
    args: [],
    env: orderToEnvironment(order),
    // Each attempt is planned anew.
    retries: 0,
    repository: { spec: repository.spec, subdirectory: `${cluster}/${from}`, readOnly: false },
    claims: [
      ...disks.map(({ mounted }) => mounted),
      ...(state === undefined ? [] : [mountedState(state.metadata.name)]),
    ],
  };
}
