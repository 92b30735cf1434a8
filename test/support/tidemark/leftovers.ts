import { glob, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StandInVm } from '../launcher/index.ts';

/** The checkpoints that libvirt knows. */
export async function checkpointsOf(vm: StandInVm): Promise<readonly string[]> {
  const listed = await vm.virsh('checkpoint-list', vm.domain, '--name');
  return listed.split('\n').filter((name) => name.trim() !== '');
}

/** Whether any backup job runs on the VM. */
export async function hasBackupJob(vm: StandInVm): Promise<boolean> {
  return vm.virsh('backup-dumpxml', vm.domain).then(
    () => true,
    () => false,
  );
}

/** What a backup leaves in the launcher pod while it runs, and must take away: sockets and scratch files. */
export async function filesInPod(vm: StandInVm): Promise<readonly string[]> {
  return [...(await oursIn(vm, 'ephemeral-disks')), ...(await socketsOf(vm))];
}

/** The sockets of backup jobs: there is one from the begin of a job to its end. */
export async function socketsOf(vm: StandInVm): Promise<readonly string[]> {
  return oursIn(vm, 'sockets');
}

async function oursIn(vm: StandInVm, emptyDir: 'ephemeral-disks' | 'sockets'): Promise<readonly string[]> {
  const emptyDirs = join(vm.podsDir, vm.launcher.podUid, 'volumes/kubernetes.io~empty-dir');
  return (await readdir(join(emptyDirs, emptyDir))).filter((name) => name.startsWith('tm-'));
}

/** Directories of unfinished backups, and what is in them: of one VM, or of all. */
export async function incomingIn(repository: string, vmName = '*'): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const path of glob(`*/*/${vmName}-*`, { cwd: repository }))
    for (const name of await readdir(join(repository, path), { recursive: true })) all.push(join(path, name));
  return all.filter((path) => path.includes('.incoming-'));
}
