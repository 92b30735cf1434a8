/**
 * A stand-in for a KubeVirt virtual machine: a real QEMU under a real libvirt, in what is to us a virt-launcher
 * pod, on disks that outlive the pod as PVCs do.
 *
 *     await using vm = await standInVm({
 *       namespace: 'shop', name: 'db',
 *       disks: [{ volume: 'root', kind: 'cbt', size: 64 * MiB }, { volume: 'data', kind: 'qcow2', size: 64 * MiB }],
 *     });
 *     await vm.start();
 *     await vm.write('root', { pattern: 0x41, offset: 1 * MiB, length: 64 * KiB });
 *
 * Needs root, libvirtd >= 10.10, QEMU and util-linux. Nothing is left behind, even if the test is SIGKILLed.
 */
export { installBootWriter } from './boot-writer.ts';
export * from './change-disks.ts';
export { CommandFailed, run } from './command.ts';
export type { Disk, DiskKind, DiskSpec } from './disks.ts';
export type { GuestIo } from './guest-io.ts';
export * from './kubevirt-objects.ts';
export { type Launcher, type LauncherOptions, startLauncher } from './launcher.ts';
export { inNodeNamespace } from './node-namespace.ts';
export { emptyDir, podDirectory } from './pod-tree.ts';
export { type ScratchDirectory, scratchDirectory } from './scratch-directory.ts';
export { StandInVm, standInVm } from './stand-in-vm.ts';
export { KiB, MiB } from './units.ts';
export type { Content, DomainState, StandInVmOptions } from './vm-types.ts';
export type { BackgroundWriter, WriterOptions, WriterReport } from './writer.ts';
