/**
 * What libvirt's refusals mean. virsh exits 1 for everything, so the texts (under LC_ALL=C) are all there is; they are
 * matched here and nowhere else. Texts measured on libvirt 11.3.0 with QEMU 10.0.2.
 */

/** Why libvirt, or the way to it, refused. Goes unchanged into conditions, events and logs. */
export type LibvirtReason =
  | 'VirshMissing'
  | 'ConnectFailed'
  | 'ClientTimeout'
  | 'DomainNotFound'
  | 'DomainNotRunning'
  | 'AlreadyRunning'
  | 'CheckpointNotFound'
  | 'CheckpointInconsistent'
  | 'CheckpointExists'
  | 'BitmapExists'
  | 'BitmapMissing'
  | 'NoJob'
  | 'Busy'
  | 'ScratchExists'
  | 'NoSpace'
  | 'SocketPathTooLong'
  | 'PathNotUsable'
  | 'ExportNameInUse'
  | 'DiskNotTrackable'
  | 'DiskNotFound'
  | 'InvalidXml'
  | 'UnexpectedAnswer'
  | 'Unknown';

/** What libvirt's text tells: the reason, and the objects it names. */
export interface Refusal {
  readonly reason: LibvirtReason;
  /** The disk's target, such as `vda`. */
  readonly disk?: string;
  /** The bitmap or checkpoint that libvirt names. */
  readonly bitmap?: string;
}

interface Row {
  readonly text: RegExp;
  readonly reason: LibvirtReason;
}

/** First match wins: the way to libvirt, then the domain, then what was asked of it. */
const rows: readonly Row[] = [
  { text: /too long for unix socket|UNIX socket path '.*' is too long/, reason: 'SocketPathTooLong' },
  {
    text: /failed to connect to the hypervisor|Failed to connect socket|Disconnected from|client socket is closed|End of file while reading data|Cannot (?:recv|write) data/,
    reason: 'ConnectFailed',
  },
  { text: /Domain not found|failed to get domain '/, reason: 'DomainNotFound' },
  { text: /cannot acquire state change lock/, reason: 'Busy' },
  { text: /for inactive domain|domain is not running/, reason: 'DomainNotRunning' },
  { text: /domain is already running/, reason: 'AlreadyRunning' },
  { text: /no job is active|no domain backup job present/, reason: 'NoJob' },
  {
    text: /checkpoint inconsistent: missing or broken bitmap '(?<bitmap>[^']*)' for disk '(?<disk>[^']*)'/,
    reason: 'CheckpointInconsistent',
  },
  {
    text: /Checkpoint '(?<bitmap>[^']*)' for incremental backup of disk '(?<disk>[^']*)' not found/,
    reason: 'CheckpointNotFound',
  },
  { text: /no domain checkpoint with matching name '(?<bitmap>[^']*)'/, reason: 'CheckpointNotFound' },
  { text: /domain moment (?<bitmap>\S+) already exists/, reason: 'CheckpointExists' },
  { text: /Bitmap already exists: (?<bitmap>\S+)/, reason: 'BitmapExists' },
  {
    text: /bitmap '(?<bitmap>[^']*)' not found in backing chain of '(?<disk>[^']*)'/,
    reason: 'BitmapMissing',
  },
  { text: /store '.*' for backup of '(?<disk>[^']*)' exists/, reason: 'ScratchExists' },
  { text: /No space left on device/, reason: 'NoSpace' },
  { text: /NBD server already has export named/, reason: 'ExportNameInUse' },
  {
    text: /checkpoint for disk (?<disk>\S+) unsupported for storage type|disk '(?<disk>[^']*)' is empty or readonly/,
    reason: 'DiskNotTrackable',
  },
  { text: /no disk named '(?<disk>[^']*)'|disk '(?<disk>[^']*)' not found/, reason: 'DiskNotFound' },
  { text: /failed to create image file|Failed to (?:bind|unlink) socket/, reason: 'PathNotUsable' },
  { text: /XML document failed to validate|^error: at line \d+:|XML error:/m, reason: 'InvalidXml' },
];

/** What the reader can do about it. */
const advice: Partial<Record<LibvirtReason, string>> = {
  VirshMissing: 'Install libvirt-clients (the image of the node agent has it).',
  ConnectFailed: 'Check that the virt-launcher pod runs, and that the agent has uid 107 and gid 0.',
  ClientTimeout: 'libvirt in the virt-launcher pod does not answer; the agent tries again.',
  Busy: 'Another job holds the VM; it is tried again when that job has ended.',
  NoSpace: 'Free space for scratch files on the node, or give the backup another scratch directory.',
  SocketPathTooLong:
    'A unix socket path has at most 107 bytes: mount the pods directory at a short path, such as /pods.',
  DiskNotTrackable:
    'Only writable qcow2 disks (or KubeVirt overlays) can be tracked; this disk is always copied in full.',
};

/** libvirt said no. `disk` and `bitmap` are set where its text names them. */
export class LibvirtError extends Error {
  readonly reason: LibvirtReason;
  readonly disk: string | undefined;
  readonly bitmap: string | undefined;

  constructor(message: string, refusal: Refusal, options?: ErrorOptions) {
    const hint = advice[refusal.reason];
    super(hint === undefined ? message : `${message}. ${hint}`, options);
    this.name = 'LibvirtError';
    this.reason = refusal.reason;
    this.disk = refusal.disk;
    this.bitmap = refusal.bitmap;
  }
}

/** Reads virsh's standard error. Never throws: what no row knows is `Unknown`. */
export function readRefusal(text: string): Refusal {
  for (const row of rows) {
    const match = row.text.exec(text);
    if (match === null) continue;
    const { disk, bitmap } = match.groups ?? {};
    return {
      reason: row.reason,
      ...(disk !== undefined && { disk }),
      ...(bitmap !== undefined && { bitmap }),
    };
  }
  return { reason: 'Unknown' };
}

/** True when `error` is a LibvirtError with one of these reasons. */
export function isRefusal(error: unknown, ...reasons: readonly LibvirtReason[]): error is LibvirtError {
  return error instanceof LibvirtError && reasons.includes(error.reason);
}
