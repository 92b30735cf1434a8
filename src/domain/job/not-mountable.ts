import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import type { Why } from '../why.ts';

/** Why no Job can mount a repository: the kubelet mounts NFS and directories of the node by itself, and nothing else. */
export function notMountableByJobs(repository: VMBackupRepository | undefined): Why | undefined {
  const { name } = repository?.metadata ?? {};
  const { cifs, cephfs } = repository?.spec ?? {};
  const kind = cifs ? 'an SMB share' : cephfs ? 'CephFS' : undefined;
  if (kind === undefined) return undefined;
  const message = `VMBackupRepository '${name}' is ${kind}, which only the node agents can mount: what runs in a Job (backups of stopped VMs, restores, removal of data) works with nfs and local. Restore by hand with tidemark-mover, or mount it on the nodes and use a repository of kind local.`;
  return { reason: 'RepositoryNotMountable', message };
}
