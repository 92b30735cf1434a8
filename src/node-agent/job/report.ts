import type { Execution, VMBackup } from '../../crds/vmbackup.ts';
import { vmBackups } from '../../crds/vmbackup.ts';
import type { Kube } from '../../kube/client.ts';
import { Conflict, NotFound, Unreachable } from '../../kube/errors.ts';
import { writeStatus } from '../../kube/status.ts';
import { AttemptFailed } from './attempt-failed.ts';

/** The agent owns `status.execution`, and nothing else, under this name. */
export const FIELD_MANAGER = 'tidemark-node-agent';
const WRITER = { fieldManager: FIELD_MANAGER, fields: ['execution'] } as const;

/** Milliseconds for one write. */
const WRITE_MS = 20_000;

/**
 * Keeps `status.execution` of one attempt: each change is written at once, whole, by server-side apply.
 * All throw what {@link writeStatus} throws, and AttemptFailed `Superseded` when the plan is at another attempt by now: what an
 * agent that was cut off has to say must not hide what the one after it said.
 */
export interface Report {
  readonly execution: Execution;
  /** Merges the fields in and writes. */
  add(fields: Partial<Execution>): Promise<void>;
  /** Writes this instead of what was there. */
  replace(execution: Execution): Promise<void>;
  /** Writes the end of the attempt. Fine when nobody waits for it any more. */
  end(execution: Execution): Promise<void>;
}

export function reportOf(kube: Kube, backup: VMBackup, begun: Execution): Report {
  let execution = begun;
  const write = async (next: Execution) => {
    // Not cut short when the agent stops: the end of an attempt must be told.
    const limit = AbortSignal.timeout(WRITE_MS);
    try {
      const known = await kube.get(vmBackups, backup.metadata, limit);
      if (known.metadata.uid !== backup.metadata.uid || known.status?.plan?.attempt !== next.attempt)
        throw new AttemptFailed('Superseded', 'The controller has planned another attempt.');
      await writeStatus(kube, vmBackups, known, { execution: next }, WRITER, limit);
    } catch (cause) {
      if (!limit.aborted) throw cause;
      const message = `The API server took no report of attempt ${next.attempt} within ${WRITE_MS / 1000} s.`;
      throw new Unreachable('NoAnswer', message, { cause });
    }
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
    end: async (next) => {
      try {
        await replace(next);
      } catch (error) {
        if (!isMoot(error)) throw error;
      }
    },
  };
}

/** Whether a report was refused because nobody waits for it: its VMBackup is gone, was made anew, or is at another attempt. */
export function isMoot(error: unknown): boolean {
  if (error instanceof NotFound) return true;
  if (error instanceof Conflict) return error.reason === 'Replaced';
  return error instanceof AttemptFailed && error.reason === 'Superseded';
}
