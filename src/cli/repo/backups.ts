import {
  type ListedBackup,
  type VMBackupListing,
  type VMBackupListingSpec,
  vmBackupListings,
} from '../../crds/vmbackuplisting.ts';
import type { Kube } from '../../kube/client.ts';
import { Forbidden, KubeError } from '../../kube/errors.ts';
import { nameByHand } from '../backup/wanted.ts';
import type { Painter, Styled } from '../screen/style.ts';
import { watchUntilOver } from '../screen/watch.ts';
import type { Terminal } from '../terminal.ts';

/** What is asked for. */
export interface WishedBackups {
  readonly repository: string;
  /** Who asks: what a namespace may see is decided in the cluster. */
  readonly namespace: string;
  readonly vmName?: string | undefined;
  /** How long anybody waits for each part of the answer, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** Has the repository listed, as often as it takes to see all of it, by VMBackupListings that are removed when they are read. */
export async function listBackups(
  kube: Kube,
  { repository, namespace, vmName, timeoutMs }: WishedBackups,
  screen: { readonly terminal: Terminal; readonly paint: Painter },
): Promise<readonly ListedBackup[]> {
  const { terminal } = screen;
  const { signal } = terminal;
  const base = nameByHand(repository, new Date(terminal.now()));
  const backups: ListedBackup[] = [];
  let from: string | undefined;
  for (let page = 1; page === 1 || from !== undefined; page++) {
    const metadata = { namespace, name: `${base}-${page}` };
    const spec: VMBackupListingSpec = {
      repository,
      ...(vmName !== undefined && { vmName }),
      ...(from !== undefined && { from }),
    };
    const first = await kube.create(vmBackupListings, { metadata, spec }, signal);
    const { status } = await watchUntilOver(
      {
        first,
        again: () => kube.get(vmBackupListings, metadata, signal),
        line: (seen) => listingLine(seen, backups.length),
        isOver: (seen) => seen.status?.completedAt !== undefined,
        timeoutMs,
        goesOn: `the answer will be in the status of VMBackupListing '${metadata.name}'`,
      },
      screen,
    );
    const failure = status?.conditions?.find(({ type }) => type === 'Stalled');
    await forget(kube, first, signal);
    if (failure !== undefined) throw new KubeError(failure.reason, failure.message, {});
    backups.push(...(status?.backups ?? []));
    from = status?.next;
  }
  return backups;
}

/** How a listing comes on. @param before backups that earlier ones told of */
export function listingLine({ spec, status }: VMBackupListing, before: number): Styled {
  const soFar = before === 0 ? '' : ` (${before} so far)`;
  const waits = status?.conditions?.find(({ type }) => type === 'Reconciling');
  // Every pod waits for a moment.
  if (waits === undefined || ['Listing', 'PodPending'].includes(waits.reason))
    return { text: `lists '${spec.repository}'${soFar}` };
  const { reason, message } = waits;
  return { text: `waits: ${reason}: ${message}${soFar}`, tone: 'warn' };
}

/** Whoever may not remove it leaves it to the controller. */
async function forget(kube: Kube, { metadata }: VMBackupListing, signal: AbortSignal): Promise<void> {
  try {
    await kube.delete(vmBackupListings, metadata, { uid: metadata.uid }, signal);
  } catch (error) {
    if (!(error instanceof Forbidden)) throw error;
  }
}
