import { chmod, chown, copyFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** Whom the DaemonSet makes the agent: QEMU's user, and the group that the kubelet's directories belong to. */
export const AGENT = { uid: 107, gid: 0 };

/** Starts a command with the rights of the agent's container: no capability, and of those it could gain only the one. */
export const AS_AGENT: readonly string[] = [
  'setpriv',
  ...[`--reuid=${AGENT.uid}`, `--regid=${AGENT.gid}`, '--clear-groups'],
  ...['--inh-caps=-all', '--bounding-set=-all,+sys_admin'],
  '--pdeathsig=KILL', // which ends with a change of user
];

/** A copy of a file, which may be root's alone, that the agent may read; gives its path. */
export async function forAgent(file: string, directory: string): Promise<string> {
  const copy = join(directory, basename(file));
  await copyFile(file, copy);
  await chmod(copy, 0o750);
  await chown(copy, AGENT.uid, AGENT.gid);
  return copy;
}
