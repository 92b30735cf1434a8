import { type DomainDisk, parseDomain } from './domain-xml.ts';
import { isRefusal } from './errors.ts';
import type { Virsh } from './virsh.ts';

export type DomainState = 'running' | 'paused' | 'shut off' | 'other';
/** `ioError`: QEMU stopped the guest because a write failed, such as a scratch file that found no space. */
export type PausedReason = 'user' | 'ioError' | 'other';

/** A domain at one moment. */
export interface Domain {
  readonly name: string;
  readonly uuid: string;
  readonly state: DomainState;
  readonly pausedReason: PausedReason | undefined;
  readonly disks: readonly DomainDisk[];
  /** The whole XML, to be kept beside the backup. */
  readonly xml: string;
}

/** The name that KubeVirt gives the domain of a VirtualMachineInstance. */
export function domainName(namespace: string, vmi: string): string {
  return `${namespace}_${vmi}`;
}

/**
 * Reads one domain.
 *
 * @throws LibvirtError `DomainNotFound` when the launcher has no such domain (any more).
 */
export async function readDomain(virsh: Virsh, name: string, signal?: AbortSignal): Promise<Domain> {
  const xml = await virsh(['dumpxml', name], {}, signal);
  const state = await readState(virsh, name, signal);
  return { ...parseDomain(xml), ...state, xml };
}

/** Reads the state alone: cheap enough to ask every second while a backup runs. */
export async function readState(
  virsh: Virsh,
  name: string,
  signal?: AbortSignal,
): Promise<Pick<Domain, 'state' | 'pausedReason'>> {
  return parseState(await virsh(['domstate', name, '--reason'], {}, signal));
}

/** Parses `domstate --reason`: `paused (I/O error)`. */
export function parseState(text: string): Pick<Domain, 'state' | 'pausedReason'> {
  const [, state = '', reason = ''] = /^([^(]*?)\s*(?:\((.*)\))?\s*$/.exec(text.trim()) ?? [];
  if (state === 'paused') return { state, pausedReason: pausedReasons[reason] ?? 'other' };
  const known = state === 'running' || state === 'shut off';
  return { state: known ? state : 'other', pausedReason: undefined };
}

const pausedReasons: Readonly<Record<string, PausedReason>> = { user: 'user', 'I/O error': 'ioError' };

/**
 * Lets a guest run on that QEMU stopped because a write failed, as a full scratch file makes it; one that a person paused stays
 * paused. Fine when the domain is gone. While the cause is there, the guest pauses again at once, and nothing is lost.
 */
export async function resumeAfterIoError(virsh: Virsh, name: string, signal?: AbortSignal): Promise<void> {
  try {
    const { state, pausedReason } = await readState(virsh, name, signal);
    if (state === 'paused' && pausedReason === 'ioError') await resumeDomain(virsh, name, signal);
  } catch (error) {
    if (!isRefusal(error, 'DomainNotFound', 'DomainNotRunning')) throw error;
  }
}

/**
 * What the file of a disk has allocated, in bytes. Undefined where that says nothing of the data: a block device is allocated as a
 * whole, and of KubeVirt's change-tracking overlay libvirt knows the overlay alone.
 */
export async function readAllocatedBytes(
  virsh: Virsh,
  name: string,
  { target, dataStore, sourcePath }: DomainDisk,
  signal?: AbortSignal,
): Promise<number | undefined> {
  if (dataStore || sourcePath === undefined || sourcePath.startsWith('/dev/')) return undefined;
  const allocation = /^Allocation:\s+(\d+)$/m.exec(
    await virsh(['domblkinfo', name, target], {}, signal),
  )?.[1];
  return allocation === undefined ? undefined : Number(allocation);
}

/** Lets a paused guest run on. A guest that runs already is fine. It pauses again at once while the cause is there. */
export async function resumeDomain(virsh: Virsh, name: string, signal?: AbortSignal): Promise<void> {
  try {
    await virsh(['resume', name], {}, signal);
  } catch (error) {
    if (!isRefusal(error, 'AlreadyRunning')) throw error;
  }
}
