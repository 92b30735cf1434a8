import { expect, test } from 'vitest';
import { isRefusal, LibvirtError, readRefusal } from '../../../src/node-agent/libvirt/errors.ts';

/** As virsh 11.3.0 printed them, on QEMU 10.0.2. */
const recorded: readonly [text: string, refusal: ReturnType<typeof readRefusal>][] = [
  [
    "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/nope/x': No such file or directory",
    { reason: 'ConnectFailed' },
  ],
  [
    "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/pods/u/virtqemud-sock': Permission denied",
    { reason: 'ConnectFailed' },
  ],
  [
    'error: failed to connect to the hypervisor\nerror: Path /pods/xxx too long for unix socket: Cannot allocate memory',
    { reason: 'SocketPathTooLong' },
  ],
  [
    "error: internal error: unable to execute QEMU command 'nbd-server-start': UNIX socket path '/run/xxx' is too long",
    { reason: 'SocketPathTooLong' },
  ],
  ["error: failed to get domain 'nope'", { reason: 'DomainNotFound' }],
  [
    "error: Domain not found: no domain with matching uuid '5c251938-a3ce-4480-89cb-186e0fd3235d' (ns1_vm1)",
    { reason: 'DomainNotFound' },
  ],
  [
    'error: Operation not supported: cannot perform disk backup for inactive domain',
    { reason: 'DomainNotRunning' },
  ],
  [
    'error: Operation not supported: cannot create checkpoint for inactive domain',
    { reason: 'DomainNotRunning' },
  ],
  ['error: Requested operation is not valid: domain is not running', { reason: 'DomainNotRunning' }],
  [
    "error: Failed to resume domain 'ns1_vm1'\nerror: Requested operation is not valid: domain is already running",
    { reason: 'AlreadyRunning' },
  ],
  [
    "error: Domain checkpoint not found: no domain checkpoint with matching name 'k1'",
    { reason: 'CheckpointNotFound', bitmap: 'k1' },
  ],
  [
    "error: Domain checkpoint not found: Checkpoint 'k1' for incremental backup of disk 'vda' not found",
    { reason: 'CheckpointNotFound', bitmap: 'k1', disk: 'vda' },
  ],
  [
    "error: checkpoint inconsistent: missing or broken bitmap 'k2' for disk 'vdb'",
    { reason: 'CheckpointInconsistent', bitmap: 'k2', disk: 'vdb' },
  ],
  ['error: operation failed: domain moment k2 already exists', { reason: 'CheckpointExists', bitmap: 'k2' }],
  [
    "error: internal error: unable to execute QEMU command 'transaction': Bitmap already exists: k1",
    { reason: 'BitmapExists', bitmap: 'k1' },
  ],
  [
    "error: Failed to delete checkpoint c2\nerror: internal error: bitmap 'c2' not found in backing chain of 'vdb'",
    { reason: 'BitmapMissing', bitmap: 'c2', disk: 'vdb' },
  ],
  ['error: Requested operation is not valid: no job is active on the domain', { reason: 'NoJob' }],
  ['error: Domain backup job id not found: no domain backup job present', { reason: 'NoJob' }],
  [
    'error: Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainBackupBegin)',
    { reason: 'Busy' },
  ],
  [
    "error: invalid argument: store '/run/kubevirt/sockets/i-a' for backup of 'vda' exists",
    { reason: 'ScratchExists', disk: 'vda' },
  ],
  [
    "error: operation failed: failed to format image: 'Could not write qcow2 header: No space left on device'",
    { reason: 'NoSpace' },
  ],
  [
    "error: internal error: unable to execute QEMU command 'block-export-add': NBD server already has export named 'r'",
    { reason: 'ExportNameInUse' },
  ],
  [
    'error: unsupported configuration: checkpoint for disk vdc unsupported for storage type raw',
    { reason: 'DiskNotTrackable', disk: 'vdc' },
  ],
  [
    "error: unsupported configuration: disk 'sda' is empty or readonly",
    { reason: 'DiskNotTrackable', disk: 'sda' },
  ],
  ["error: unsupported configuration: no disk named 'vdz'", { reason: 'DiskNotFound', disk: 'vdz' }],
  [
    "error: failed to create image file '/nope/x.socka': No such file or directory",
    { reason: 'PathNotUsable' },
  ],
  [
    "error: internal error: unable to execute QEMU command 'nbd-server-start': Failed to bind socket to /nope/x.sock: No such file or directory",
    { reason: 'PathNotUsable' },
  ],
  [
    "error: internal error: unable to execute QEMU command 'nbd-server-start': Failed to unlink socket /root/s.sock: Permission denied",
    { reason: 'PathNotUsable' },
  ],
  [
    'error: XML document failed to validate against schema: Unable to validate doc against /usr/share/libvirt/schemas/domaincheckpoint.rng\nExtra element disks in interleave',
    { reason: 'InvalidXml' },
  ],
  ["error: at line 1: Couldn't find end of Start Tag domainbackup line 1", { reason: 'InvalidXml' }],
  ['error: something that nobody has seen', { reason: 'Unknown' }],
  ['', { reason: 'Unknown' }],
];

test.each(recorded)('reads: %s', (text, refusal) => {
  expect(readRefusal(text)).toEqual(refusal);
});

test('an error says what the reader can do, and keeps reason, objects and cause', () => {
  const cause = new Error('exit 1');
  const error = new LibvirtError('virsh x: no', { reason: 'DiskNotTrackable', disk: 'vdc' }, { cause });
  expect(error).toMatchObject({ reason: 'DiskNotTrackable', disk: 'vdc', bitmap: undefined, cause });
  expect(error.message).toBe(
    'virsh x: no. Only writable qcow2 disks (or KubeVirt overlays) can be tracked; this disk is always copied in full.',
  );
});

test('isRefusal asks for the reason, of libvirt errors only', () => {
  const error = new LibvirtError('no', { reason: 'NoJob' });
  expect(isRefusal(error, 'Busy', 'NoJob')).toBe(true);
  expect(isRefusal(error, 'Busy')).toBe(false);
  expect(isRefusal(Object.assign(new Error('no'), { reason: 'NoJob' }), 'NoJob')).toBe(false);
});
