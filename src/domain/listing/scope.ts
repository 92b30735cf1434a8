import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';

/** Which part of a repository is listed. */
export interface ListingScope {
  /** Directories, as `<cluster id>/<namespace>`, where `*` stands for any; all of them if left out. */
  readonly within?: readonly string[] | undefined;
  /** Only VMs of this name. */
  readonly vmName?: string | undefined;
}

/** What a namespace may see: its own backups, and those that it may restore. */
export function visibleTo(
  namespace: string,
  clusterId: string,
  { spec }: VMBackupRepository,
): readonly string[] {
  const granted = (spec.restoreGrants ?? [])
    .filter(({ into }) => into === '*' || into === namespace)
    .map(({ clusterID, from }) => `${clusterID ?? clusterId}/${from}`);
  return [...new Set([`${clusterId}/${namespace}`, ...granted])];
}

/** Whether a directory, given part by part from the repository's root on, is in a scope or leads to what is. */
export function isInScope({ within, vmName }: ListingScope, parts: readonly string[]): boolean {
  const [cluster, namespace, vm] = parts;
  const isVisible =
    within === undefined ||
    within.some((place) => {
      const [itsCluster, itsNamespace] = place.split('/');
      return isOne(itsCluster, cluster) && isOne(itsNamespace, namespace);
    });
  // `<vm>-<uid8>`, and a UID has no dash within its first eight characters.
  return isVisible && (vmName === undefined || vm === undefined || vm.replace(/-[^-]*$/, '') === vmName);
}

/** What is not known yet may be the one. */
function isOne(wanted: string | undefined, part: string | undefined): boolean {
  return part === undefined || wanted === '*' || wanted === part;
}
