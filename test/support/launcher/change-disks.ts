import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import {
  createImage,
  type Disk,
  type DiskSpec,
  layOutDisks,
  overlaysDirectory,
  ownedDirectory,
} from './disks.ts';
import { diskXml } from './domain-xml.ts';
import type { StandInVm } from './stand-in-vm.ts';

/** Gives a VM that is off other disks; the images that are there stay as they are. */
export async function giveDisks(vm: StandInVm, specs: readonly DiskSpec[]): Promise<void> {
  vm.disks = layOutDisks(vm.directory, vm.name, specs);
  for (const disk of vm.disks) await createImage(disk);
}

/** Plugs a qcow2 disk into the running VM, as KubeVirt does: on the SCSI bus, from a claim mounted into the pod. */
export async function plug(vm: StandInVm, spec: DiskSpec & { readonly kind: 'qcow2' }): Promise<void> {
  const target = spec.target ?? 'sdh';
  const [disk] = layOutDisks(vm.directory, vm.name, [{ ...spec, target }]) as [Disk];
  await createImage(disk);
  await inPod(vm, ['mkdir', '-p', disk.podDirectory]);
  await inPod(vm, ['mount', '--bind', disk.directory, disk.podDirectory]);
  await vm.virsh('attach-device', vm.domain, await definition(vm, disk), '--live');
  vm.disks = [...vm.disks, disk];
}

/** Takes it out again. */
export async function unplug(vm: StandInVm, volume: string): Promise<void> {
  const disk = vm.disk(volume);
  await vm.virsh('detach-device', vm.domain, await definition(vm, disk), '--live');
  vm.disks = vm.disks.filter((each) => each !== disk);
}

/** Grows a disk of a VM that is off, as KubeVirt does before it starts one whose claim has grown. */
export async function growWhileOff(vm: StandInVm, volume: string, size: number): Promise<void> {
  const disk = vm.disk(volume);
  await run([
    'qemu-img',
    'resize',
    '-q',
    '-f',
    disk.kind === 'qcow2' ? 'qcow2' : 'raw',
    disk.image,
    String(size),
  ]);
  vm.disks = vm.disks.map((each) => (each === disk ? { ...disk, size } : each));
}

/** Grows a disk of a running VM. */
export async function growWhileRunning(vm: StandInVm, volume: string, size: number): Promise<void> {
  const disk = vm.disk(volume);
  await vm.virsh('blockresize', vm.domain, disk.target, `${size}B`);
  vm.disks = vm.disks.map((each) => (each === disk ? { ...disk, size } : each));
}

/** Removes the overlays, as KubeVirt does when the VM is deleted: the data stays in the claims. */
export async function removeOverlays(vm: StandInVm): Promise<void> {
  await rm(overlaysDirectory(vm.directory), { recursive: true, force: true });
  await ownedDirectory(overlaysDirectory(vm.directory));
}

async function definition(vm: StandInVm, disk: Disk): Promise<string> {
  const file = join(vm.directory, `${disk.volume}.xml`);
  await writeFile(file, diskXml(disk, vm.cache, 'scsi'));
  return file;
}

async function inPod(vm: StandInVm, argv: readonly string[]): Promise<void> {
  await run(['nsenter', `--target=${vm.launcher.initPid}`, '--mount', '--', ...argv]);
}
