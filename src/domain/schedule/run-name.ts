import { shortHash, trimEnd } from '../short-hash.ts';

/** Short enough to be a label's value and a Job's name, too. */
const NAME_LENGTH = 63;

/**
 * The name of the backup of one VM in one run: `<schedule>-<vm>-<run>-<hash>`. The same run always gives the same name, so a
 * retry finds what was made and never doubles it. The hash tells ('a-b', 'c') from ('a', 'b-c'), and long names apart after
 * they are cut.
 */
export function runName(schedule: string, vm: string, runId: string): string {
  const tail = `-${runId}-${shortHash(schedule, vm, runId)}`;
  return `${trimEnd(`${schedule}-${vm}`.slice(0, NAME_LENGTH - tail.length))}${tail}`;
}

/**
 * The run of a slot, `<yyyymmddhhmm>`. Minutes are UTC, so a repeated hour is no clash.
 * @param slotMs milliseconds since the epoch; within a minute there is one run
 */
export function slotRunId(slotMs: number): string {
  return new Date(slotMs).toISOString().slice(0, 16).replaceAll(/[-:T]/g, '');
}

/** The run that a token asked for. A token may come again later: the generation of the schedule tells the two apart. */
export function manualRunId(token: string, generation: number): string {
  return `manual-${shortHash(token, String(generation))}`;
}
