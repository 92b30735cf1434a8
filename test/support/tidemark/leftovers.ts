import { readdir } from 'node:fs/promises';
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
  const emptyDirs = join(vm.podsDir, vm.launcher.podUid, 'volumes/kubernetes.io~empty-dir');
  const scratch = await readdir(join(emptyDirs, 'ephemeral-disks'));
  const sockets = await readdir(join(emptyDirs, 'sockets'));
  return [...scratch, ...sockets].filter((name) => name.startsWith('tm-'));
}

/** Directories of unfinished backups, and what is in them. */
export async function incomingIn(repository: string): Promise<readonly string[]> {
  const all = await readdir(repository, { recursive: true });
  return all.filter((path) => path.includes('.incoming-'));
}
