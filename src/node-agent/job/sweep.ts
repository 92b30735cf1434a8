import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Pod } from '../../crds/core.ts';
import type { Caches } from '../caches.ts';
import { podPaths } from '../launcher.ts';
import { endBackup } from '../libvirt/backup.ts';
import { domainName, readDomain, resumeAfterIoError } from '../libvirt/domain.ts';
import { trackable } from '../libvirt/domain-xml.ts';
import { ensureCheckpointAbsent } from '../libvirt/ensure-absent.ts';
import { readRunningBackup } from '../libvirt/job.ts';
import { connectVirsh, type Virsh } from '../libvirt/virsh.ts';
import { bitmapOfSocket } from './names.ts';
import { workOf } from './work.ts';

/** How often the node is looked over, in milliseconds. */
const SWEEP_EVERY_MS = 60_000;
/** KubeVirt's label on a launcher pod: the VMI's name is in this annotation. */
const DOMAIN_ANNOTATION = 'kubevirt.io/domain';

export interface Sweeping {
  readonly nodeName: string;
  readonly podsDir: string;
  readonly caches: Pick<Caches, 'backups' | 'repositories' | 'launchers'>;
  readonly now: () => Date;
  readonly log: Logger;
}

/**
 * The bitmaps of the attempts that this node's agent has to carry out, or is carrying out. One that has ended wants no job, and
 * one whose repository is gone cannot be carried out.
 */
export function wantedBitmaps({
  nodeName,
  caches,
  now,
}: Pick<Sweeping, 'nodeName' | 'now'> & {
  readonly caches: {
    readonly backups: Pick<Caches['backups'], 'list'>;
    readonly repositories: Pick<Caches['repositories'], 'get'>;
  };
}): ReadonlySet<string> {
  const bitmaps = caches.backups.list().flatMap((backup) => {
    const work = workOf(backup, nodeName, now());
    const repository = caches.repositories.get(backup.spec.repository);
    return work.kind === 'CarryOut' && repository !== undefined ? [work.plan.bitmap] : [];
  });
  return new Set(bitmaps);
}

/**
 * Ends a job of ours that no VMBackup asks for any more: its object was deleted, or planned anew, while the agent was dead, or
 * it could not be ended when its attempt was given up. Left alone, its scratch file would grow until the guest is paused; a
 * guest that is paused already runs on. Its checkpoint goes too: nobody holds data up to it. Resolves to the bitmap of the job
 * that was ended.
 * @param wanted asked only after the look at the domain: a job that was seen had been planned before
 */
export async function sweepDomain(
  virsh: Virsh,
  domain: string,
  wanted: () => ReadonlySet<string>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const socket = (await readRunningBackup(virsh, domain, signal))?.socket;
  const bitmap = socket === undefined ? undefined : bitmapOfSocket(socket);
  if (socket === undefined || bitmap === undefined || wanted().has(bitmap)) return undefined;
  // A job that has ended meanwhile may have ended well: its checkpoint is the head of a chain then.
  if ((await endBackup(virsh, domain, socket, signal)) !== 'Ended') return undefined;
  await resumeAfterIoError(virsh, domain, signal);
  const targets = (await readDomain(virsh, domain, signal)).disks
    .filter(trackable)
    .map(({ target }) => target);
  await ensureCheckpointAbsent(virsh, domain, { name: bitmap, targets }, signal);
  return bitmap;
}

/** Looks over all VMs of the node, at once and then every minute, until the signal aborts. */
export async function keepSweeping(sweeping: Sweeping, signal: AbortSignal): Promise<void> {
  const { caches, log } = sweeping;
  while (!signal.aborted) {
    for (const pod of caches.launchers.list((each) => each.status?.phase === 'Running')) {
      try {
        const ended = await sweepPod(pod, sweeping, signal);
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

async function sweepPod(pod: Pod, sweeping: Sweeping, signal: AbortSignal): Promise<string | undefined> {
  const { uid, namespace = '', annotations } = pod.metadata;
  const vmi = annotations?.[DOMAIN_ANNOTATION];
  if (vmi === undefined) return undefined;
  const virsh = connectVirsh({ socket: podPaths(sweeping.podsDir, uid).libvirtSocket });
  return sweepDomain(virsh, domainName(namespace, vmi), () => wantedBitmaps(sweeping), signal);
}
