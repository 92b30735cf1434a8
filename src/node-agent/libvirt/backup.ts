import { setTimeout as sleep } from 'node:timers/promises';
import { type BackupSpec, backupXml, type CheckpointSpec, checkpointXml } from './backup-xml.ts';
import { isRefusal, LibvirtError } from './errors.ts';
import { readJobInfo, readRunningBackup } from './job.ts';
import type { Virsh } from './virsh.ts';

const endTimeoutMs = 30_000;

/** `Continued`: the job with this socket ran already, begun by a process that died since. */
export type BeginResult = 'Begun' | 'Continued';

/**
 * Begins a pull backup, with a checkpoint in the same instant, or finds that it has begun. The socket path is the job's
 * name: make it unique to one attempt of one backup.
 *
 * Never waits for another job: it looks first, and refuses. Once sent, the request is not cut short by `signal`: it
 * would start all the same.
 *
 * After a refusal no job of ours runs. The checkpoint may exist nevertheless, since QEMU takes the bitmap before it opens
 * the exports: pass it to ensureCheckpointAbsent.
 *
 * @throws LibvirtError `Busy` when the domain has another job, or got one in that very moment.
 */
export async function beginBackup(
  virsh: Virsh,
  domain: string,
  spec: { readonly backup: BackupSpec; readonly checkpoint?: CheckpointSpec },
  signal?: AbortSignal,
): Promise<BeginResult> {
  const { socket } = spec.backup;
  if (await isRunning(virsh, domain, socket, signal)) return 'Continued';
  const job = await readJobInfo(virsh, domain, signal);
  if (job.active) {
    throw new LibvirtError(`The domain ${domain} has a running job (${job.operation})`, { reason: 'Busy' });
  }
  const files = [backupXml(spec.backup)];
  if (spec.checkpoint !== undefined) files.push(checkpointXml(spec.checkpoint));
  signal?.throwIfAborted();
  try {
    await virsh(['backup-begin', domain], { files });
  } catch (error) {
    if (isRefusal(error, 'ClientTimeout') && (await isRunning(virsh, domain, socket))) return 'Begun';
    // A begin that fails late takes its job back, but only some time after it has answered.
    await endBackup(virsh, domain, socket).catch(() => {});
    throw error;
  }
  return 'Begun';
}

async function isRunning(
  virsh: Virsh,
  domain: string,
  socket: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const running = await readRunningBackup(virsh, domain, signal);
  return running !== undefined && running.socket === socket;
}

/** `NotOurs`: a backup runs, but another's; it was left alone. */
export type EndResult = 'Ended' | 'NotRunning' | 'NotOurs';

/**
 * Ends the pull backup that has this socket, and waits until it is gone with its scratch files and socket. It is the
 * normal end of a pull backup, too. The checkpoint stays. Fine to call when there is nothing to end.
 *
 * @throws LibvirtError `ClientTimeout` when the job is still there after 30 seconds.
 */
export async function endBackup(
  virsh: Virsh,
  domain: string,
  socket: string,
  signal?: AbortSignal,
): Promise<EndResult> {
  try {
    const running = await readRunningBackup(virsh, domain, signal);
    if (running === undefined) return 'NotRunning';
    if (running.socket !== socket) return 'NotOurs';
    await virsh(['domjobabort', domain], {}, signal);
    await untilEnded(virsh, domain, socket, signal);
    return 'Ended';
  } catch (error) {
    // The job ended by itself, or together with the domain: between two of our questions, or before.
    if (isRefusal(error, 'NoJob', 'DomainNotFound', 'DomainNotRunning')) return 'NotRunning';
    throw error;
  }
}

async function untilEnded(virsh: Virsh, domain: string, socket: string, signal?: AbortSignal): Promise<void> {
  for (let waitedMs = 0; waitedMs < endTimeoutMs; waitedMs += 100) {
    if (!(await isRunning(virsh, domain, socket, signal))) return;
    await sleep(100, undefined, signal === undefined ? {} : { signal });
  }
  const message = `The backup job of ${domain} is still there ${endTimeoutMs} ms after it was told to end`;
  throw new LibvirtError(message, { reason: 'ClientTimeout' });
}
