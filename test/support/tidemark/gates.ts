import { access, chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Places inside the begin of a backup, in their order. `before` a call goes out, `after` it was answered. */
export const GATES = [
  'redefine.before',
  'redefine.after',
  'freeze.before',
  'freeze.after',
  'begin.before',
  'begin.after',
  'thaw.before',
  'thaw.after',
] as const;
export type Gate = (typeof GATES)[number];

/** Holds a begin at a gate for as long as a test wants, as if the call took so long: what is too quick to be seen can be struck. */
export interface Gates {
  /** To be first in the agent's PATH: a virsh that stops at the gates. */
  readonly bin: string;
  /** Closes this gate for whoever comes first. */
  close(gate: Gate): Promise<void>;
  /** Whether somebody stands at the closed gate. */
  isReached(): Promise<boolean>;
  /** Lets through who stands there, and who comes. */
  open(): Promise<void>;
  /** For what passes in this process: waits while it is held. */
  pass(gate: Gate): Promise<void>;
}

/** The command that stands in front of virsh. A client whose agent is dead dies at the gate, as all processes of a container do. */
const virshAt = (directory: string) => `#!/bin/bash
pass() {
  mv "${directory}/$1" "${directory}/reached" 2>/dev/null || return 0
  while [ -e "${directory}/reached" ]; do
    [ -d "/proc/$PPID" ] || exit 1
    sleep 0.02
  done
}
case " $* " in
  *' checkpoint-create '*) gate=redefine ;;
  *' backup-begin '*) gate=begin ;;
  *) exec /usr/bin/virsh "$@" ;;
esac
pass "$gate.before"
/usr/bin/virsh "$@"
code=$?
pass "$gate.after"
exit $code
`;

/** @param directory is made; a gate is closed by a file in it, so that other processes see it */
export async function makeGates(directory: string): Promise<Gates> {
  const bin = join(directory, 'bin');
  await mkdir(bin, { recursive: true });
  await chmod(directory, 0o777); // the agent is not root
  await writeFile(join(bin, 'virsh'), virshAt(directory));
  await chmod(join(bin, 'virsh'), 0o755);
  const reached = join(directory, 'reached');
  const isReached = () =>
    access(reached).then(
      () => true,
      () => false,
    );
  return {
    bin,
    close: (gate) => writeFile(join(directory, gate), ''),
    isReached,
    async open() {
      for (const name of ['reached', ...GATES]) await rm(join(directory, name), { force: true });
    },
    async pass(gate) {
      const isClosed = await rename(join(directory, gate), reached).then(
        () => true,
        () => false,
      );
      if (!isClosed) return;
      while (await isReached()) await sleep(20);
    },
  };
}
