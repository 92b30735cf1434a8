import { chmod, chown, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';

/** KubeVirt's "qemu" user and group in the launcher, of a VM that does not run as root. */
export const QEMU_ID = 107;

/** The emptyDir volumes of a virt-launcher pod: name of the volume, and where the compute container mounts it. */
export const EMPTY_DIRS = [
  { name: 'libvirt-runtime', at: '/run/libvirt' },
  { name: 'public', at: '/run/kubevirt' },
  { name: 'sockets', at: '/run/kubevirt/sockets' },
  { name: 'hotplug-disks', at: '/run/kubevirt/hotplug-disks' },
  { name: 'ephemeral-disks', at: '/run/kubevirt-ephemeral-disks' },
  { name: 'private', at: '/run/kubevirt-private' },
  { name: 'private-libvirt', at: '/run/kubevirt-private/libvirt' },
  { name: 'private-libvirt-qemu', at: '/run/kubevirt-private/libvirt/qemu' },
] as const;

export type EmptyDirName = (typeof EMPTY_DIRS)[number]['name'];

/** What the kubelet keeps for a pod: `<podsDir>/<podUID>`. */
export function podDirectory(podsDir: string, podUid: string): string {
  return join(podsDir, podUid);
}

/** The node's side of an emptyDir volume. With `podsDir` /pods the libvirt socket in it has 105 bytes. */
export function emptyDir(podsDir: string, podUid: string, name: EmptyDirName): string {
  return join(podDirectory(podsDir, podUid), 'volumes', 'kubernetes.io~empty-dir', name);
}

/** Makes the pod's directory with the owners and modes seen on a node (root:107, 2777, behind 0750 parents). */
export async function createPodTree(podsDir: string, podUid: string): Promise<void> {
  for (const { name } of EMPTY_DIRS) {
    const path = emptyDir(podsDir, podUid, name);
    await mkdir(path, { recursive: true });
    await chown(path, 0, QEMU_ID);
    await chmod(path, 0o2777);
  }
  await chmod(podDirectory(podsDir, podUid), 0o750);
  await chmod(join(podDirectory(podsDir, podUid), 'volumes'), 0o750);
  // libvirtd names its socket libvirt-sock; virtqemud, which KubeVirt runs, virtqemud-sock.
  const runtime = emptyDir(podsDir, podUid, 'libvirt-runtime');
  await symlink('libvirt-sock', join(runtime, 'virtqemud-sock'));
}
