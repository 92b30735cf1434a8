import { leases, pods } from '../../crds/core.ts';
import { virtualMachineInstances, virtualMachines } from '../../crds/kubevirt.ts';
import { vmBackups } from '../../crds/vmbackup.ts';
import { vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import { vmBackupSchedules } from '../../crds/vmbackupschedule.ts';
import { vmRestores } from '../../crds/vmrestore.ts';
import type { Kube, Selection } from '../../kube/client.ts';
import { Forbidden, NotFound } from '../../kube/errors.ts';
import type { Kind } from '../../kube/kind.ts';
import { pick } from './pick.ts';
import { withoutSecrets } from './without-secrets.ts';

/** One part of a report: objects of a kind, or why there are none. */
export interface Part {
  readonly title: string;
  readonly objects: readonly unknown[];
  readonly problem?: string;
}

/** What of the cluster is asked for. */
export interface Scope {
  /** The namespace of VMs and backups; all if undefined. */
  readonly namespace: string | undefined;
  /** Where Tidemark runs. */
  readonly systemNamespace: string;
}

type Shown = (raw: unknown) => unknown;

const PAGE = 500;

/** Of KubeVirt's objects only what a backup looks at: what else they hold (cloud-init!) is nobody's business. */
const VM_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'metadata.labels',
  'metadata.creationTimestamp',
  'metadata.deletionTimestamp',
  'spec.runStrategy',
  'spec.running',
  'spec.template.spec.volumes.name',
  'spec.template.spec.volumes.persistentVolumeClaim',
  'spec.template.spec.volumes.dataVolume',
  'spec.volumes.name',
  'spec.volumes.persistentVolumeClaim',
  'spec.volumes.dataVolume',
  'status.printableStatus',
  'status.conditions',
  'status.phase',
  'status.nodeName',
  'status.activePods',
  'status.evacuationNodeName',
  'status.migrationState',
  'status.changedBlockTracking',
  'status.volumeStatus',
] as const;

/** Of pods: how they are, and never their environment. */
const POD_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.labels',
  'metadata.creationTimestamp',
  'metadata.deletionTimestamp',
  'spec.nodeName',
  'spec.serviceAccountName',
  'spec.containers.name',
  'spec.containers.image',
  'spec.containers.resources',
  'status',
] as const;

/** Reads what tells how Tidemark does, as far as the user may: a part that is refused says so. */
export async function collect(kube: Kube, scope: Scope, signal: AbortSignal): Promise<readonly Part[]> {
  const { namespace, systemNamespace } = scope;
  const part = (kind: Kind, selection: Selection, show: Shown = withoutSecrets): Promise<Part> =>
    read(kube, kind, { selection, show }, signal);
  return [
    await part(vmBackupRepositories, {}),
    await part(vmBackupSchedules, { namespace }),
    await part(vmBackups, { namespace }),
    await part(vmRestores, { namespace }),
    await part(virtualMachines, { namespace }, pick(VM_FIELDS)),
    await part(virtualMachineInstances, { namespace }, pick(VM_FIELDS)),
    await part(pods, { namespace: systemNamespace }, pick(POD_FIELDS)),
    await part(leases, { namespace: systemNamespace }),
    await part(events, { namespace, fieldSelector: 'reportingController=tidemark-controller' }),
    await part(events, { namespace, fieldSelector: 'reportingController=tidemark-node-agent' }),
  ];
}

/** Read as they are, and never parsed. */
const events: Kind = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  parse: () => {
    throw new Error('unreachable: events are shown as they are');
  },
};

async function read(
  kube: Kube,
  kind: Kind,
  { selection, show }: { readonly selection: Selection; readonly show: Shown },
  signal: AbortSignal,
): Promise<Part> {
  const title = titleOf(kind, selection);
  const objects: unknown[] = [];
  try {
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page = await kube.listPage(kind, selection, { limit: PAGE, continue: next || undefined }, signal);
      objects.push(...page.items.map(show));
      next = page.continue;
    }
    return { title, objects };
  } catch (error) {
    if (error instanceof Forbidden || error instanceof NotFound)
      return { title, objects, problem: error.message };
    throw error;
  }
}

function titleOf({ plural }: Kind, { namespace, fieldSelector }: Selection): string {
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
  return `${plural}${where}${fieldSelector === undefined ? '' : ` (${fieldSelector})`}`;
}
