import type { Plan } from '../crds/vmbackup.ts';
import { uid8 } from './names.ts';
import { fitName } from './short-hash.ts';
import { isStopped, runningOn, type World } from './world.ts';

/** Who carries out a plan: the agent of the node where the VM runs, or, when it does not run, a Job. */
export type Executor = Pick<Plan, 'nodeName' | 'job'>;

/** On the Job of a backup, and on its pods: the UID of the VMBackup. */
export const BACKUP_LABEL = 'backup.tidemark.dev/backup';

/** Who is to carry out an attempt as the VM is now; undefined while it starts or stops. */
export function executorFor(world: World, attempt: number): Executor | undefined {
  const nodeName = runningOn(world.vmi);
  if (nodeName !== undefined) return { nodeName };
  return isStopped(world) ? { nodeName: '', job: jobName(world.backup, attempt) } : undefined;
}

/** A VMBackup that was made anew under its old name must not take the Job of the one before for its own: that may still be there. */
function jobName({ metadata: { name, uid } }: World['backup'], attempt: number): string {
  return fitName(`${fitName(name, 45)}-${uid8(uid)}-${attempt}`, 63);
}

/** Whether a plan's executor is still the right one. */
export function isStillRight({ nodeName, job }: Executor, world: World): boolean {
  return job === undefined ? runningOn(world.vmi) === nodeName : isStopped(world);
}

/** For messages: `The agent on node 'n1'`. */
export function tellExecutor({ nodeName, job }: Executor): string {
  return job === undefined ? `The agent on node '${nodeName}'` : `Job '${job}'`;
}
