import type { Execution, VMBackup } from '../../crds/vmbackup.ts';
import { vmBackups } from '../../crds/vmbackup.ts';
import type { Kube } from '../../kube/client.ts';
import { writeStatus } from '../../kube/status.ts';

/** The agent owns `status.execution`, and nothing else, under this name. */
export const FIELD_MANAGER = 'tidemark-node-agent';
const WRITER = { fieldManager: FIELD_MANAGER, fields: ['execution'] } as const;

/** Milliseconds for one write. */
const WRITE_MS = 20_000;

/** Keeps `status.execution` of one attempt: each change is written at once, whole, by server-side apply. */
export interface Report {
  readonly execution: Execution;
  /** Merges the fields in and writes. Throws what {@link writeStatus} throws. */
  add(fields: Partial<Execution>): Promise<void>;
  /** Writes this instead of what was there. */
  replace(execution: Execution): Promise<void>;
}

export function reportOf(kube: Kube, backup: VMBackup, begun: Execution): Report {
  let execution = begun;
  let known = backup;
  const write = async (next: Execution) => {
    // Not cut short when the agent stops: the end of an attempt must be told.
    await writeStatus(kube, vmBackups, known, { execution: next }, WRITER, AbortSignal.timeout(WRITE_MS));
    known = { ...known, status: { ...known.status, execution: next } };
  };
  // One write after the other, so that a late progress never overtakes the end.
  let last: Promise<void> = Promise.resolve();
  const inTurn = async (before: Promise<void>, next: Execution) => {
    await before.catch(() => undefined); // its own caller has heard of it
    await write(next);
  };
  const replace = async (next: Execution) => {
    execution = next;
    last = inTurn(last, next);
    await last;
  };
  return {
    get execution() {
      return execution;
    },
    add: (fields) => replace({ ...execution, ...fields }),
    replace,
  };
}
