import { type VMBackup, vmBackups } from '../crds/vmbackup.ts';
import { type VMBackupRepository, vmBackupRepositories } from '../crds/vmbackuprepository.ts';
import type { Kube, Selection } from '../kube/client.ts';
import { Forbidden, KubeError, NotFound } from '../kube/errors.ts';
import type { Kind, KubeObject, Ref } from '../kube/kind.ts';
import type { Cluster } from './cluster.ts';

/** Reads all objects of a kind. Throws KubeError whose message says what the user can do. */
export async function listAll<T extends KubeObject>(
  kube: Kube,
  kind: Kind<T>,
  selection: Selection,
  signal: AbortSignal,
): Promise<readonly T[]> {
  try {
    return await kube.list(kind, selection, signal);
  } catch (cause) {
    throw explained(cause, kind);
  }
}

/** Reads all objects of a kind; none if the user may not, or if the cluster does not know the kind. */
export async function listIfAllowed<T extends KubeObject>(
  kube: Kube,
  kind: Kind<T>,
  selection: Selection,
  signal: AbortSignal,
): Promise<readonly T[]> {
  return (await ifAllowed(kube.list(kind, selection, signal))) ?? [];
}

/** Reads one object; undefined if it is not there, or if the user may not see it. */
export async function getIfVisible<T extends KubeObject>(
  kube: Kube,
  kind: Kind<T>,
  ref: Ref,
  signal: AbortSignal,
): Promise<T | undefined> {
  return await ifAllowed(kube.get(kind, ref, signal));
}

/** Reads a VMBackup that the user names. Throws KubeError whose message says where to look. */
export async function findBackup(
  { kube, namespace }: Cluster,
  name: string,
  signal: AbortSignal,
): Promise<VMBackup> {
  try {
    return await kube.get(vmBackups, { namespace, name }, signal);
  } catch (cause) {
    if (!(cause instanceof NotFound)) throw cause;
    const message = `There is no VMBackup '${name}' in namespace '${namespace}': 'kubectl get tmb -A' lists them all, -n chooses the namespace.`;
    throw new KubeError('NotFound', message, { status: 404, cause });
  }
}

/** Reads a VMBackupRepository that the user names. Throws KubeError whose message says where to look. */
export async function findRepository(
  kube: Kube,
  name: string,
  signal: AbortSignal,
): Promise<VMBackupRepository> {
  try {
    return await kube.get(vmBackupRepositories, { name }, signal);
  } catch (cause) {
    if (!(cause instanceof NotFound)) throw cause;
    const message = `There is no VMBackupRepository '${name}': 'kubectl tidemark repo ls' lists them all.`;
    throw new KubeError('NotFound', message, { status: 404, cause });
  }
}

/** The answer; undefined if there is no such thing, or if the user may not see it. */
async function ifAllowed<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NotFound || error instanceof Forbidden) return undefined;
    throw error;
  }
}

/** A list is NotFound only if the API server does not know the kind. */
function explained(cause: unknown, { kind, apiVersion }: Kind): unknown {
  if (!(cause instanceof NotFound)) return cause;
  const group = apiVersion.split('/')[0] ?? '';
  const product = group.endsWith('tidemark.dev') ? "Tidemark's CRDs" : 'KubeVirt';
  const message = `This cluster has no ${kind} (${apiVersion}): install ${product}, or choose another --context.`;
  return new KubeError('NotInstalled', message, { cause });
}
