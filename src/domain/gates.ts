import { admit } from './admission/admit.ts';
import { QUEUED } from './admission/contender.ts';
import { notMountableByJobs } from './job/not-mountable.ts';
import { ANOTHER_RUNS, firstInLine } from './line.ts';
import { ordinal } from './ordinal.ts';
import { chooseVolumes, unknownVolumes } from './volumes.ts';
import type { Why } from './why.ts';
import { windowAt } from './window.ts';
import { isStopped, runningOn, volumesOf, type World } from './world.ts';

/** Reason of a backup that waits for its window to open. */
const OUTSIDE_WINDOW = 'OutsideWindow';
/** Whoever stands far back in a queue is looked at less often: his turn wakes him anyway. Milliseconds. */
const FAR_BACK_MS = 120_000;
const FRONT_PLACES = 10;

/** Why a backup cannot begin yet. */
export interface Obstacle extends Why {
  /** Whether it stays until someone does something. */
  readonly needsPerson: boolean;
  /** Whether `startDeadlineSeconds` stands still meanwhile: it is only a matter of time. */
  readonly isPatient?: boolean;
  /** When to look again at the latest, in milliseconds; the usual interval when left out. */
  readonly afterMs?: number;
}

type Gate = (world: World, now: number) => Obstacle | undefined;

/** What keeps a backup from beginning. First match wins: this list is the rule. */
const gates: readonly Gate[] = [
  importedNotRead,
  vmNotFound,
  repositoryNotFound,
  namespaceNotAllowed,
  outsideWindow,
  repositoryInMaintenance,
  repositoryNotReady,
  anotherBackupRunning,
  vmNotRunning,
  jobCannotMount,
  migrationRunning,
  kubeVirtBackupRunning,
  volumeNotFound,
  claimNotFound,
  nodeAgentMissing,
  repositoryNotReadyOnNode,
  notYetItsTurn,
];

/** The reasons of obstacles that cost nothing of `startDeadlineSeconds`. */
const PATIENT: ReadonlySet<string> = new Set([OUTSIDE_WINDOW, QUEUED]);

/** Whether what a backup waits for, by its reason, is only a matter of time. */
export function isPatient(reason: string | undefined): boolean {
  return reason !== undefined && PATIENT.has(reason);
}

/** The first obstacle; undefined if the backup may begin. */
export function obstacleOf(world: World, now: number): Obstacle | undefined {
  for (const gate of gates) {
    const obstacle = gate(world, now);
    if (obstacle !== undefined) return obstacle;
  }
  return undefined;
}

function person(reason: string, message: string): Obstacle {
  return { reason, message, needsPerson: true };
}

function passing(reason: string, message: string): Obstacle {
  return { reason, message, needsPerson: false };
}

/** A record of data that is there already: nothing is ever taken for it. */
function importedNotRead({ backup }: World): Obstacle | undefined {
  const { imported } = backup.spec;
  if (imported === undefined) return undefined;
  const message = `It stands for the backup at ${imported.path}: the next listing of the repository fills it in, if that is there.`;
  return { reason: 'Importing', message, needsPerson: false };
}

function vmNotFound({ vm, backup }: World): Obstacle | undefined {
  if (vm !== undefined) return undefined;
  const { vmName } = backup.spec;
  const where = `in namespace '${backup.metadata.namespace ?? ''}'`;
  return person(
    'VMNotFound',
    `There is no VirtualMachine '${vmName}' ${where}: check spec.vmName, or make the VM.`,
  );
}

function repositoryNotFound({ repository, backup }: World): Obstacle | undefined {
  if (repository !== undefined) return undefined;
  const message = `There is no VMBackupRepository '${backup.spec.repository}': create it, or name one that 'kubectl get tmrepo' lists.`;
  return person('RepositoryNotFound', message);
}

function namespaceNotAllowed({ repository, backup }: World): Obstacle | undefined {
  const allowed = repository?.spec.allowedNamespaces ?? [];
  const namespace = backup.metadata.namespace ?? '';
  if (allowed.includes('*') || allowed.includes(namespace)) return undefined;
  const message = `VMBackupRepository '${backup.spec.repository}' does not take backups from namespace '${namespace}': its administrator must add it to spec.allowedNamespaces.`;
  return person('NamespaceNotAllowed', message);
}

function outsideWindow({ backup }: World, now: number): Obstacle | undefined {
  const { window } = backup.spec;
  if (window === undefined) return undefined;
  const state = windowAt(window, now);
  if (state.kind === 'Open') return undefined;
  if (state.kind === 'Invalid') return person('InvalidWindow', state.message);
  const opens = new Date(state.opensAt).toISOString().replace('.000Z', 'Z');
  const message = `Its window, ${window.start} to ${window.end} (${window.timeZone}), opens at ${opens}.`;
  return { ...passing(OUTSIDE_WINDOW, message), isPatient: true, afterMs: state.opensAt - now };
}

function repositoryInMaintenance({ repository }: World): Obstacle | undefined {
  if (repository?.spec.maintenance !== true) return undefined;
  const message = `VMBackupRepository '${repository.metadata.name}' is under maintenance: no backup begins until its spec.maintenance is false.`;
  return passing('RepositoryInMaintenance', message);
}

function notYetItsTurn({ backup, contenders }: World, now: number): Obstacle | undefined {
  const turn = admit(contenders, now).get(backup.metadata.uid);
  if (turn?.kind !== 'Queued') return undefined;
  const { place, of, waitsFor } = turn;
  const message = `Queued: ${ordinal(place)} of ${of} for repository '${backup.spec.repository}'; ${waitsFor.limit} of ${waitsFor.limit} backups run ${waitsFor.limitedBy}.`;
  const farBack = place > FRONT_PLACES ? { afterMs: FAR_BACK_MS } : {};
  return { ...passing(QUEUED, message), isPatient: true, ...farBack };
}

function repositoryNotReady({ repository }: World): Obstacle | undefined {
  const ready = repository?.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status === 'True') return undefined;
  const why = ready === undefined ? 'nobody has looked at it yet' : `${ready.reason}: ${ready.message}`;
  return passing(
    'RepositoryNotReady',
    `VMBackupRepository '${repository?.metadata.name ?? ''}' is not ready: ${why}`,
  );
}

function anotherBackupRunning(world: World): Obstacle | undefined {
  const first = firstInLine(world);
  if (first === undefined) return undefined;
  const message = `VMBackup '${first.metadata.name}' of the same VM comes first; a VM is backed up once at a time.`;
  return passing(ANOTHER_RUNS, message);
}

function vmNotRunning(world: World): Obstacle | undefined {
  const { vmi, backup } = world;
  if (runningOn(vmi) !== undefined) return undefined;
  if (isStopped(world) && backup.spec.whenStopped === 'Backup') return undefined;
  const phase =
    vmi === undefined ? 'it has no instance' : `its instance is ${vmi.status?.phase ?? 'not scheduled'}`;
  const message = `VirtualMachine '${backup.spec.vmName}' does not run (${phase}): it is starting or stopping, or spec.whenStopped is Skip.`;
  return passing('VMNotRunning', message);
}

function jobCannotMount(world: World): Obstacle | undefined {
  const why = isStopped(world) ? notMountableByJobs(world.repository) : undefined;
  return why && passing(why.reason, `The VM is stopped. ${why.message}`);
}

function migrationRunning({ vmi }: World): Obstacle | undefined {
  const migration = vmi?.status?.migrationState;
  const moves = migration !== undefined && migration.completed !== true && migration.failed !== true;
  if (moves) return passing('MigrationRunning', 'The VM is being migrated to another node.');
  const draining = vmi?.status?.evacuationNodeName;
  if (draining === undefined || draining === '') return undefined;
  return passing('MigrationRunning', `Node '${draining}' is being drained, and the VM is to leave it.`);
}

function kubeVirtBackupRunning({ vmi }: World): Obstacle | undefined {
  const backup = vmi?.status?.changedBlockTracking?.backupStatus;
  // A completed one, too, until KubeVirt has taken it off the status: it may not have read its own job's end yet.
  if (backup === undefined) return undefined;
  const message = `KubeVirt's own backup ${backup.backupName ?? ''} of the VM is under way, and the two would spoil each other; if it hangs, delete that VirtualMachineBackup.`;
  return passing('KubeVirtBackupRunning', message.replace('  ', ' '));
}

function volumeNotFound(world: World): Obstacle | undefined {
  const { spec } = world.backup;
  const volumes = volumesOf(world);
  const unknown = unknownVolumes(volumes, spec.volumes);
  if (unknown.length > 0) {
    const names = volumes.map(({ name }) => name).join(', ') || 'none';
    return person(
      'VolumeNotFound',
      `volumes.include names ${unknown.join(', ')}, which is no volume with a PersistentVolumeClaim or DataVolume in VM '${spec.vmName}' (its volumes: ${names}).`,
    );
  }
  if (chooseVolumes(volumes, spec.volumes, world.claims).length > 0) return undefined;
  const message = `VM '${spec.vmName}' has no volume to back up: volumes with a persistentVolumeClaim or dataVolume count, less those under volumes.exclude.`;
  return person('NothingToBackUp', message);
}

/** Whoever runs a VM has its disks; a Job must mount them by their claims. */
function claimNotFound(world: World): Obstacle | undefined {
  if (!isStopped(world)) return undefined;
  const chosen = chooseVolumes(volumesOf(world), world.backup.spec.volumes, world.claims);
  const lost = chosen.find(({ claim }) => claim === undefined);
  if (lost === undefined) return undefined;
  const message = `There is no PersistentVolumeClaim '${lost.claimName}' for volume '${lost.name}' of the stopped VM: make it, or leave the volume out with volumes.exclude.`;
  return person('ClaimNotFound', message);
}

function nodeAgentMissing(world: World): Obstacle | undefined {
  const { vmi, agents } = world;
  if (isStopped(world)) return undefined;
  const node = runningOn(vmi);
  if (agents.some(({ alive, nodeName }) => alive && nodeName === node)) return undefined;
  const message = `No node agent gives a sign of life on node '${node ?? ''}', where the VM runs: check the DaemonSet's pod there.`;
  return passing('NodeAgentMissing', message);
}

function repositoryNotReadyOnNode({ vmi, agents, backup }: World): Obstacle | undefined {
  const agent = agents.find(({ alive, nodeName }) => alive && nodeName === runningOn(vmi));
  const report = agent?.repositories[backup.spec.repository];
  if (report?.ready !== false) return undefined;
  const message = `Node '${agent?.nodeName ?? ''}', where the VM runs, cannot write to VMBackupRepository '${backup.spec.repository}': ${report.reason}: ${report.message}`;
  return passing('RepositoryNotReady', message);
}
