import { chmod, chown, mkdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { QEMU_ID } from './pod-tree.ts';
import { KiB } from './units.ts';

/**
 * `qcow2`: a plain qcow2 file. `raw`: disk.img, which libvirt cannot track. `cbt`: disk.img as raw data file under
 * a qcow2 overlay on the state PVC, as KubeVirt's changed block tracking has it. `iso`: disk.img in a read-only CD-ROM.
 */
export type DiskKind = 'qcow2' | 'raw' | 'cbt' | 'iso';

/** A disk, as the writer of a test orders it. */
export interface DiskSpec {
  readonly volume: string;
  readonly kind: DiskKind;
  /** Bytes, a multiple of 512. */
  readonly size: number;
  /** Name of its PVC. Default `<vm>-<volume>`. */
  readonly claim?: string;
  /** Bytes, of the qcow2 file or overlay. Default 256 KiB for an overlay (KubeVirt's), 64 KiB for a file (QEMU's). */
  readonly clusterSize?: number;
  /** A raw file to begin with. Default: zeros. */
  readonly from?: string;
  /** What its PVC says; the stand-in keeps it in a file in any case. Default: Filesystem. */
  readonly volumeMode?: 'Filesystem' | 'Block';
  /** What the guest calls it. Default: by its place among the VM's disks. */
  readonly target?: string;
}

/** A disk with all its names, on the node and in the pod. */
export interface Disk {
  readonly volume: string;
  readonly kind: DiskKind;
  readonly size: number;
  readonly claim: string;
  readonly clusterSize: number;
  /** What the guest and libvirt call it: vda, vdb... */
  readonly target: string;
  /** The PVC's directory on the node. */
  readonly directory: string;
  /** The image on the node: disk.qcow2, or disk.img. */
  readonly image: string;
  /** The PVC's directory, and the image, in the pod. */
  readonly podDirectory: string;
  readonly podImage: string;
  /** Where the CBT overlay is, for kind `cbt`. */
  readonly overlay: string;
  readonly podOverlay: string;
  readonly from?: string;
  readonly volumeMode?: 'Filesystem' | 'Block';
}

/** Where KubeVirt mounts the CBT part of a VM's state PVC in the pod. */
export const POD_OVERLAYS = '/var/run/kubevirt-private/libvirt/qemu/cbt';

/** Names a VM's disks under `directory`: `pvc/<claim>/` for each, `state/cbt/` for the overlays. */
export function layOutDisks(directory: string, vm: string, specs: readonly DiskSpec[]): readonly Disk[] {
  return specs.map((spec, index) => {
    const claim = spec.claim ?? `${vm}-${spec.volume}`;
    const file = spec.kind === 'qcow2' ? 'disk.qcow2' : 'disk.img';
    const podDirectory = `/var/run/kubevirt-private/vmi-disks/${spec.volume}`;
    return {
      ...spec,
      claim,
      clusterSize: spec.clusterSize ?? (spec.kind === 'cbt' ? 256 * KiB : 64 * KiB),
      target:
        spec.target ??
        `${spec.kind === 'iso' ? 'sd' : 'vd'}${String.fromCharCode('a'.charCodeAt(0) + index)}`,
      directory: join(directory, 'pvc', claim),
      image: join(directory, 'pvc', claim, file),
      podDirectory,
      podImage: `${podDirectory}/${file}`,
      overlay: join(overlaysDirectory(directory), `${spec.volume}.qcow2`),
      podOverlay: `${POD_OVERLAYS}/${spec.volume}.qcow2`,
    };
  });
}

/** The node's side of `POD_OVERLAYS`: it outlives the pod. */
export function overlaysDirectory(directory: string): string {
  return join(directory, 'state', 'cbt');
}

/** Makes the image of a disk, owned by QEMU's user, unless it is there already. */
export async function createImage(disk: Disk): Promise<void> {
  await ownedDirectory(disk.directory);
  if (await exists(disk.image)) return;
  if (disk.kind === 'qcow2') await createQcow2(disk);
  else if (disk.from) await run(['cp', '--sparse=always', disk.from, disk.image]);
  else await writeFile(disk.image, '');
  if (disk.kind !== 'qcow2') await truncate(disk.image, disk.size);
  await chown(disk.image, QEMU_ID, QEMU_ID);
  await chmod(disk.image, 0o660);
}

async function createQcow2({ image, size, clusterSize, from }: Disk): Promise<void> {
  const options = ['-o', `cluster_size=${clusterSize}`];
  if (!from) {
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', ...options, image, String(size)]);
    return;
  }
  await run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', ...options, from, image]);
  await run(['qemu-img', 'resize', '-q', '-f', 'qcow2', image, String(size)]);
}

/** A directory as fsGroup 107 leaves the root of a volume. */
export async function ownedDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chown(path, QEMU_ID, QEMU_ID);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
