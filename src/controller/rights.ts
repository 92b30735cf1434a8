import { events as coreEvents, jobs, namespaces, persistentVolumeClaims, pods } from '../crds/core.ts';
import { controllerRevisions, dataVolumes, instancetypeKinds } from '../crds/definitions.ts';
import { virtualMachineInstances, virtualMachines } from '../crds/kubevirt.ts';
import { vmBackups } from '../crds/vmbackup.ts';
import { vmBackupListings } from '../crds/vmbackuplisting.ts';
import { vmBackupRepositories } from '../crds/vmbackuprepository.ts';
import { vmBackupSchedules } from '../crds/vmbackupschedule.ts';
import { vmRestores } from '../crds/vmrestore.ts';
import { events } from '../kube/events.ts';
import { leases } from '../kube/lease.ts';
import { FOLLOW, READ, resource, type Right, type Rights } from '../kube/rights.ts';
import { LEADER_LEASE } from './names.ts';

const own = [vmBackups, vmBackupSchedules, vmRestores, vmBackupListings, vmBackupRepositories];

const everywhere: readonly Right[] = [
  { of: own.map((kind) => resource(kind)), verbs: READ, why: 'what it decides about' },
  {
    of: [resource(vmBackups)],
    verbs: ['create', 'delete'],
    why: 'the runs of a schedule, and what its history limits or its retention remove',
  },
  {
    of: [resource(vmBackups)],
    verbs: ['patch'],
    why: 'the deletionPolicy of what retention removes, and the finalizer of those whose data goes with them',
  },
  { of: own.map((kind) => resource(kind, 'status')), verbs: ['patch'], why: 'by server-side apply' },
  {
    of: [resource(vmRestores)],
    verbs: ['patch'],
    why: 'the finalizer, which undoes a restore that is deleted half-way',
  },
  { of: [resource(vmBackupListings)], verbs: ['delete'], why: 'an hour after they were answered' },
  {
    of: [virtualMachines, virtualMachineInstances].map((kind) => resource(kind)),
    verbs: READ,
    why: 'which VMs there are, and where they run',
  },
  {
    of: [resource(virtualMachines)],
    verbs: ['create', 'patch'],
    why: 'a restore makes a VM, or stops one, turns its disks and starts it again; one that ran without change tracking is marked',
  },
  {
    of: [resource(persistentVolumeClaims)],
    verbs: READ,
    why: 'their UIDs tell a replaced disk from the old one',
  },
  {
    of: [resource(persistentVolumeClaims)],
    verbs: ['create', 'delete'],
    why: 'those of a restore; it deletes only what bears the label of a restore that failed',
  },
  {
    of: [resource(jobs)],
    verbs: [...FOLLOW, 'create', 'delete'],
    why: 'the mover, where no agent is needed',
  },
  { of: [resource(pods)], verbs: FOLLOW, why: 'why a Job does not begin' },
  {
    of: [resource(coreEvents)],
    verbs: ['list'],
    why: 'the same: that a volume cannot be mounted stands in an event alone',
  },
  { of: [resource(pods, 'log')], verbs: ['get'], why: 'how far a Job is, and what it found' },
  {
    of: [resource(namespaces)],
    verbs: ['get'],
    why: 'the UID of kube-system stands for the cluster in the paths of a repository; one that is being deleted removes no data',
  },
  { of: [resource(dataVolumes)], verbs: ['get'], why: "part of a VM's definition, as are the next two" },
  {
    of: [resource(controllerRevisions)],
    verbs: ['get'],
    why: 'its instancetype and preference, as they were',
  },
  {
    of: [resource(controllerRevisions)],
    verbs: ['create', 'patch', 'delete'],
    why: "what a restored VM's instancetype and preference were; it deletes only what bears the label of a restore and has no owner",
  },
  { of: instancetypeKinds.map((kind) => resource(kind)), verbs: ['get'], why: 'the same, as they are' },
  { of: [resource(events)], verbs: ['create'], why: 'what happens, for whoever describes an object' },
];

const inOwnNamespace: readonly Right[] = [
  {
    of: [resource(leases)],
    verbs: READ,
    why: "the agents' leases tell who lives, and how each finds the repositories",
  },
  {
    of: [resource(leases)],
    verbs: ['create'],
    why: 'the leader election; a create cannot be bound to a name',
  },
  { of: [resource(leases)], verbs: ['patch'], named: [LEADER_LEASE], why: 'the same' },
];

/** All that the controller asks of the API server. */
export const rights: Rights = { everywhere, inOwnNamespace };
