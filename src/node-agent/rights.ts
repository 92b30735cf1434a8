import { persistentVolumeClaims, pods } from '../crds/core.ts';
import { controllerRevisions, dataVolumes, instancetypeKinds } from '../crds/definitions.ts';
import { virtualMachineInstances, virtualMachines } from '../crds/kubevirt.ts';
import { vmBackups } from '../crds/vmbackup.ts';
import { vmBackupRepositories } from '../crds/vmbackuprepository.ts';
import { events } from '../kube/events.ts';
import { leases } from '../kube/lease.ts';
import { FOLLOW, READ, resource, type Right, type Rights } from '../kube/rights.ts';

const everywhere: readonly Right[] = [
  { of: [resource(vmBackups)], verbs: READ, why: 'its work' },
  { of: [resource(vmBackupRepositories)], verbs: FOLLOW, why: 'where backups go' },
  { of: [resource(vmBackups, 'status')], verbs: ['patch'], why: 'by server-side apply' },
  { of: [resource(virtualMachineInstances)], verbs: READ, why: 'which VMs run on its node' },
  { of: [resource(virtualMachines)], verbs: ['get'], why: 'their definitions go into the backup' },
  {
    of: ['freeze', 'unfreeze'].map((verb) => ({
      group: 'subresources.kubevirt.io',
      resource: `${virtualMachineInstances.plural}/${verb}`,
    })),
    verbs: ['update'],
    why: 'the guest is quiet for the instant that the backup stands for',
  },
  { of: [resource(pods)], verbs: FOLLOW, why: "the launcher pod's UID leads to libvirt's socket" },
  { of: [resource(persistentVolumeClaims)], verbs: ['get'], why: 'their definitions go into the backup' },
  { of: [resource(dataVolumes)], verbs: ['get'], why: "part of a VM's definition, as are the next two" },
  {
    of: [resource(controllerRevisions)],
    verbs: ['get'],
    why: 'its instancetype and preference, as they were',
  },
  { of: instancetypeKinds.map((kind) => resource(kind)), verbs: ['get'], why: 'the same, as they are' },
  { of: [resource(events)], verbs: ['create'], why: 'what happens, for whoever describes an object' },
];

const inOwnNamespace: readonly Right[] = [
  {
    of: [resource(leases)],
    verbs: ['create', 'patch'],
    why: 'one for each node: a sign of life, and how the node finds each repository',
  },
];

/** All that the node agent asks of the API server. */
export const rights: Rights = { everywhere, inOwnNamespace };
