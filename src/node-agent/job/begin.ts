import { mkdir, rm } from 'node:fs/promises';
import { posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  asExecuted,
  type DiskDecision,
  type DisksDecision,
  decideDisks,
} from '../../domain/disk-decision.ts';
import { whileFrozen } from '../freeze.ts';
import { beginBackup } from '../libvirt/backup.ts';
import type { BackupDisk } from '../libvirt/backup-xml.ts';
import { readCheckpoint } from '../libvirt/checkpoint.ts';
import { trackable } from '../libvirt/domain-xml.ts';
import { ensureCheckpointAbsent } from '../libvirt/ensure-absent.ts';
import { readJobInfo } from '../libvirt/job.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { NotYet } from './attempt-failed.ts';
import { scratchName, socketName } from './names.ts';
import { observeParent, type PlannedDomainDisk, plannedDisks } from './observe-parent.ts';
import { preflight } from './preflight.ts';

/** How long to leave a VM alone that someone else works on, in milliseconds. */
const BUSY_MS = 10_000;
/** How often a checkpoint is looked at that libvirt may be in the middle of making, and how many times. */
const LOOK_MS = 500;
const LOOKS = 10;

/**
 * Begins the backup: the parent is looked at, what each disk gets is decided and reported, and then libvirt's job and the new
 * checkpoint begin in one instant, with the guest frozen if it can be.
 *
 * @throws NotYet while KubeVirt or anyone else has a job on the VM.
 */
export async function begin(attempt: Attempt, vm: RunningVm, signal: AbortSignal): Promise<void> {
  const { plan, report, log } = attempt;
  await untilBegun(attempt, vm, signal);
  await refuseIfBusy(vm, signal);
  await clearTheWay(attempt, vm, signal);
  const disks = plannedDisks(plan, vm.domain);
  const decision = decideDisks(plan, await observeParent(plan, disks, vm, attempt.mover, signal));
  const estimatedBytes = await preflight(attempt, vm, disks, decision.disks, signal);
  await reportDecision(attempt, decision, estimatedBytes);
  const spec = jobSpec(attempt, vm, disks, decision.disks);
  await mkdir(vm.paths.sockets.outside, { recursive: true });
  const start = () => beginBackup(vm.virsh, vm.domain.name, spec, signal);
  const { quiesce } = await whileFrozen(
    attempt.kube,
    vm.vmi,
    attempt.quiesce,
    () => performance.now(),
    start,
    signal,
  );
  const tracked = decision.disks.some((disk) => disk.tracked);
  const pointInTime = attempt.now().toISOString();
  await report.add({ pointInTime, quiesce, ...(tracked ? { bitmapCreated: plan.bitmap } : {}) });
  log.info({ bitmap: plan.bitmap, type: decision.type, quiesce: quiesce.result }, 'backup job begun');
}

/**
 * Waits while libvirt still begins the job of a killed agent: it does not hear that its client is dead, and what is removed now
 * would be there again a moment later. A begin that failed may leave such a half-made checkpoint for good, so not for long.
 */
async function untilBegun(
  { plan }: Attempt,
  { virsh, domain }: RunningVm,
  signal: AbortSignal,
): Promise<void> {
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const ours = await readCheckpoint(virsh, domain.name, plan.bitmap, signal);
    if (ours === undefined || ours.creationTimeSeconds !== undefined) return;
    await sleep(LOOK_MS, undefined, { signal });
  }
}

/** Never begin beside another job: libvirt would make us wait 30 s, and KubeVirt takes our job's end for its own. */
async function refuseIfBusy(
  { virsh, domain, vmi, terminating }: RunningVm,
  signal: AbortSignal,
): Promise<void> {
  if (terminating)
    throw new NotYet('LauncherTerminating', 'The launcher pod of the VM is being deleted.', BUSY_MS);
  const theirs = vmi.status?.changedBlockTracking?.backupStatus;
  if (theirs !== undefined) {
    const name = theirs.backupName ?? 'unnamed';
    throw new NotYet('KubeVirtBackupRunning', `KubeVirt's own backup '${name}' holds the VM.`, BUSY_MS);
  }
  const job = await readJobInfo(virsh, domain.name, signal);
  if (job.active) throw new NotYet('DomainBusy', `The VM has another job (${job.operation}).`, BUSY_MS);
}

/** Removes what an earlier, killed run of this very attempt may have left: its checkpoint and its scratch files. */
async function clearTheWay(
  { plan }: Attempt,
  { virsh, domain, paths }: RunningVm,
  signal: AbortSignal,
): Promise<void> {
  const targets = domain.disks.filter(trackable).map(({ target }) => target);
  await ensureCheckpointAbsent(virsh, domain.name, { name: plan.bitmap, targets }, signal);
  for (const { target } of domain.disks) {
    await rm(posix.join(paths.scratch.outside, scratchName(plan.bitmap, target)), { force: true });
  }
}

/** What a killed run of this attempt reported of its own job is told no longer: this one begins at another instant. */
async function reportDecision(
  { report, log }: Attempt,
  { disks, fallback }: DisksDecision,
  estimatedBytes: number,
): Promise<void> {
  if (fallback) log.warn({ reason: fallback.reason, disks: fallback.disks }, fallback.message);
  const { attempt, agent, startedAt } = report.execution;
  await report.replace({
    ...{ attempt, agent, startedAt },
    estimatedBytes,
    disks: disks.map(asExecuted),
    ...(fallback ? { incrementalFallback: { ...fallback, disks: [...fallback.disks] } } : {}),
  });
}

/** Every disk of the domain is listed, those that are not wanted with `no`: libvirt would guess otherwise. */
function jobSpec(
  { plan }: Attempt,
  { domain, paths }: RunningVm,
  planned: readonly PlannedDomainDisk[],
  decisions: readonly DiskDecision[],
) {
  const decisionOf = new Map(decisions.map((decision) => [decision.volume, decision]));
  const chosen = new Map(planned.map(({ volume, disk }) => [disk.target, decisionOf.get(volume)]));
  const tracked = domain.disks.map(({ target }) => ({
    target,
    tracked: chosen.get(target)?.tracked ?? false,
  }));
  const socket = posix.join(paths.sockets.inside, socketName(plan.bitmap));
  const disks = domain.disks.map(({ target }): BackupDisk => {
    const decision = chosen.get(target);
    if (decision === undefined) return { target, mode: 'no' };
    const scratch = posix.join(paths.scratch.inside, scratchName(plan.bitmap, target));
    const common = { target, exportName: target, scratch };
    if (decision.type === 'Full' || plan.parent === undefined) return { ...common, mode: 'full' };
    const parent = plan.parent.bitmap;
    return { ...common, mode: 'incremental', incremental: parent, exportBitmap: parent };
  });
  const checkpoint = { name: plan.bitmap, disks: tracked };
  const any = tracked.some((disk) => disk.tracked);
  return { backup: { socket, disks }, ...(any ? { checkpoint } : {}) };
}
