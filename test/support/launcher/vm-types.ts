import { z } from 'zod';
import type { DiskSpec } from './disks.ts';

export interface StandInVmOptions {
  readonly namespace: string;
  readonly name: string;
  readonly disks: readonly DiskSpec[];
  /** Bytes. Default 64 MiB. */
  readonly memory?: number;
  /** The VM's firmware. Default: random. */
  readonly uuid?: string;
  readonly serial?: string;
  /** The node's pods directory, to share one node among VMs. Default: one of its own. */
  readonly podsDir?: string;
  /** Where disks and logs go; what is there stays there. Default: a temporary one, gone with the VM. */
  readonly directory?: string;
  /** A directory with `vmlinuz` and `initrd` to boot. Default: nothing, the guest is what `write` and its like do. */
  readonly boot?: string;
  /** How QEMU opens the images. Default none, as KubeVirt; writeback where the file system has no O_DIRECT. */
  readonly cache?: 'none' | 'writeback';
}

export const domainState = z.enum([
  'no pod',
  'running',
  'paused',
  'shut off',
  'in shutdown',
  'crashed',
  'idle',
]);
/** `no pod` where nothing runs; the rest are libvirt's words. */
export type DomainState = z.infer<typeof domainState>;

/** What a disk held at one moment. */
export interface Content {
  /** A raw, sparse file, there as long as the VM's directory. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}
