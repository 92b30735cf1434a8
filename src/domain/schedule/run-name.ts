import { shortHash, trimEnd } from '../short-hash.ts';

/** Short enough to be a label's value and a Job's name, too. */
const NAME_LENGTH = 63;

/**
 * The name of the backup of one VM in one run: `<schedule>-<vm>-<yyyymmddhhmm>-<hash>`. The same run always gives the same
 * name, so a retry finds what was made and never doubles it. Minutes are UTC, so a repeated hour is no clash; the hash
 * tells ('a-b', 'c') from ('a', 'b-c'), and long names apart after they are cut.
 * @param slotMs milliseconds since the epoch; within a minute there is one run
 */
export function runName(schedule: string, vm: string, slotMs: number): string {
  const minute = new Date(slotMs).toISOString().slice(0, 16).replaceAll(/[-:T]/g, '');
  const tail = `-${minute}-${shortHash(schedule, vm, minute)}`;
  return `${trimEnd(`${schedule}-${vm}`.slice(0, NAME_LENGTH - tail.length))}${tail}`;
}
