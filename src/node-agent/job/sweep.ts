import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Pod } from '../../crds/core.ts';
import type { VMBackup } from '../../crds/vmbackup.ts';
import type { Caches } from '../caches.ts';
import { podPaths } from '../launcher.ts';
import { endBackup } from '../libvirt/backup.ts';
import { domainName, readDomain } from '../libvirt/domain.ts';
import { trackable } from '../libvirt/domain-xml.ts';
import { ensureCheckpointAbsent } from '../libvirt/ensure-absent.ts';
import { readRunningBackup } from '../libvirt/job.ts';
import { connectVirsh, type Virsh } from '../libvirt/virsh.ts';
import { bitmapOfSocket } from './names.ts';

/** How often the node is looked over, in milliseconds. */
const SWEEP_EVERY_MS = 60_000;
/** KubeVirt's label on a launcher pod: the VMI's name is in this annotation. */
const DOMAIN_ANNOTATION = 'kubevirt.io/domain';

export interface Sweeping {
  readonly caches: Caches;
  readonly podsDir: string;
  readonly log: Logger;
}

/** The bitmaps of backups that this node's agent has to carry out, or is carrying out. */
export function wantedBitmaps(backups: readonly VMBackup[]): ReadonlySet<string> {
  return new Set(backups.flatMap(({ status }) => (status?.plan === undefined ? [] : [status.plan.bitmap])));
}

/**
 * Ends a job of ours that no VMBackup asks for any more: its object was deleted, or planned anew, while the agent was dead.
 * Left alone, its scratch file would grow until the guest is paused. Its checkpoint goes too: nobody holds data up to it.
 * Resolves to the bitmap of the job that was ended.
 */
export async function sweepDomain(
  virsh: Virsh,
  domain: string,
  wanted: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const socket = (await readRunningBackup(virsh, domain, signal))?.socket;
  const bitmap = socket === undefined ? undefined : bitmapOfSocket(socket);
  if (socket === undefined || bitmap === undefined || wanted.has(bitmap)) return undefined;
  await endBackup(virsh, domain, socket, signal);
  const targets = (await readDomain(virsh, domain, signal)).disks
    .filter(trackable)
    .map(({ target }) => target);
  await ensureCheckpointAbsent(virsh, domain, { name: bitmap, targets }, signal);
  return bitmap;
}

/** Looks over all VMs of the node, at once and then every minute, until the signal aborts. */
export async function keepSweeping({ caches, podsDir, log }: Sweeping, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const pod of caches.launchers.list((each) => each.status?.phase === 'Running')) {
      try {
        const ended = await sweepPod(pod, caches, podsDir, signal);
        if (ended !== undefined)
          log.warn({ pod: pod.metadata.name, bitmap: ended }, 'ended a backup job that nobody asks for');
      } catch (error) {
        // A VM that starts or stops just now has no domain to look at.
        if (!signal.aborted) log.debug({ err: error, pod: pod.metadata.name }, 'could not look over a VM');
      }
    }
    await sleep(SWEEP_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function sweepPod(
  pod: Pod,
  caches: Caches,
  podsDir: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { uid, namespace = '', annotations } = pod.metadata;
  const vmi = annotations?.[DOMAIN_ANNOTATION];
  if (vmi === undefined) return undefined;
  const virsh = connectVirsh({ socket: podPaths(podsDir, uid).libvirtSocket });
  // Read the wishes last before the look: a plan that came meanwhile must not be swept away.
  return sweepDomain(virsh, domainName(namespace, vmi), wantedBitmaps(caches.backups.list()), signal);
}
