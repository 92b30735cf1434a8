import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import type { VMRestore } from '../../crds/vmrestore.ts';
import { notMountableByJobs } from '../job/not-mountable.ts';
import { standingOf } from '../standing.ts';
import type { Why } from '../why.ts';

/** What tells where a restore reads from. */
export interface SourceQuestion {
  readonly restore: VMRestore;
  /** The backup that `source.backupName` names. */
  readonly backup: VMBackup | undefined;
  /** The repository that it, or `source.repositoryPath`, names. */
  readonly repository: VMBackupRepository | undefined;
  /** UID of the namespace kube-system: names this cluster in repositories. */
  readonly clusterId: string;
}

/** A backup that may be read. */
export interface RestoreSource {
  readonly repository: VMBackupRepository;
  /** Below the repository's root. */
  readonly path: string;
}

type Check = (question: SourceQuestion, path: string) => Why | undefined;

/** What keeps a backup from being read for this restore. First match wins: this list is the rule. */
const checks: readonly Check[] = [repositoryMissing, namespaceNotAllowed, notGranted, notMountable];

/** The source, or why there is none. */
export function sourceOf(question: SourceQuestion): RestoreSource | Why {
  const path = pathOf(question);
  if (typeof path !== 'string') return path;
  for (const check of checks) {
    const why = check(question, path);
    if (why !== undefined) return why;
  }
  const { repository } = question;
  if (repository === undefined) throw new Error('unreachable: a check has found the repository');
  return { repository, path };
}

function pathOf({ restore, backup }: SourceQuestion): string | Why {
  const { backupName, repositoryPath } = restore.spec.source;
  // The object may go while its data is read (deletionPolicy: Retain): the plan knows where that is.
  if (restore.status?.plan !== undefined) return restore.status.plan.path;
  if (backupName === undefined) return repositoryPath?.path ?? '';
  if (backup === undefined) {
    const message = `There is no VMBackup '${backupName}' in this namespace: name one that 'kubectl get tmb' shows, or give source.repositoryPath.`;
    return { reason: 'BackupNotFound', message };
  }
  const standing = standingOf(backup);
  if (standing.kind === 'Succeeded') return standing.plan.path;
  const message = `VMBackup '${backupName}' holds no data (${standing.kind}): name one that 'kubectl get tmb' shows as Succeeded.`;
  return { reason: 'BackupNotUsable', message };
}

function repositoryMissing({ repository, restore, backup }: SourceQuestion): Why | undefined {
  if (repository !== undefined) return undefined;
  const name =
    restore.status?.plan?.repository ??
    backup?.spec.repository ??
    restore.spec.source.repositoryPath?.repository ??
    '';
  return {
    reason: 'RepositoryNotFound',
    message: `There is no VMBackupRepository '${name}': 'kubectl get tmrepo' lists them.`,
  };
}

function notMountable({ repository }: SourceQuestion): Why | undefined {
  return notMountableByJobs(repository);
}

function namespaceNotAllowed({ repository, restore }: SourceQuestion): Why | undefined {
  const namespace = restore.metadata.namespace ?? '';
  const allowed = repository?.spec.allowedNamespaces ?? [];
  if (allowed.includes('*') || allowed.includes(namespace)) return undefined;
  const message = `VMBackupRepository '${repository?.metadata.name ?? ''}' does not serve namespace '${namespace}': its administrator must add it to spec.allowedNamespaces.`;
  return { reason: 'NamespaceNotAllowed', message };
}

/** Backups of this namespace of this cluster are its own. Everything else only the administrator can open. */
function notGranted({ repository, restore, clusterId }: SourceQuestion, path: string): Why | undefined {
  const [cluster = '', from = ''] = path.split('/');
  const into = restore.metadata.namespace ?? '';
  if (cluster === clusterId && from === into) return undefined;
  const grants = repository?.spec.restoreGrants ?? [];
  const isGranted = grants.some(
    (grant) =>
      (grant.clusterID === '*' || (grant.clusterID ?? clusterId) === cluster) &&
      (grant.from === '*' || grant.from === from) &&
      (grant.into === '*' || grant.into === into),
  );
  if (isGranted) return undefined;
  const whose = cluster === clusterId ? '' : ` of cluster ${cluster}`;
  const grant = `{${cluster === clusterId ? '' : `clusterID: ${cluster}, `}from: ${from}, into: ${into}}`;
  const message = `The backup is of namespace '${from}'${whose}, and may not be restored into '${into}': the administrator of VMBackupRepository '${repository?.metadata.name ?? ''}' must add ${grant} to spec.restoreGrants.`;
  return { reason: 'RestoreNotGranted', message };
}
