import { readFile } from 'node:fs/promises';

export interface Process {
  readonly pid: number;
  /** The kernel's name of it (comm), at most 15 letters. */
  readonly name: string;
}

/** The processes whose parent `pid` is now; none if it is gone. */
export async function childrenOf(pid: number): Promise<readonly Process[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const children = list
    .split(' ')
    .filter(Boolean)
    .map(async (text) => {
      const name = await readFile(`/proc/${text}/comm`, 'utf8').catch(() => undefined);
      return name === undefined ? [] : [{ pid: Number(text), name: name.trim() }];
    });
  return (await Promise.all(children)).flat();
}

/** Whether there is such a process (one that has ended and is not yet waited for counts too). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
