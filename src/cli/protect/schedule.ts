import { API_VERSION } from '../../crds/api.ts';
import { VMBackupScheduleSpec } from '../../crds/vmbackupschedule.ts';
import { parseSchedule } from '../../domain/schedule/cron.ts';
import { effectiveSchedule } from '../../domain/schedule/effective.ts';
import { UsageError } from '../exit-code.ts';
import { parseSelector } from './selector.ts';

/** What the user says of a schedule. */
export interface Wish {
  readonly name: string;
  readonly namespace: string;
  readonly vms: readonly string[];
  readonly selector?: string | undefined;
  readonly schedule: string;
  readonly timeZone?: string | undefined;
  readonly repository: string;
  readonly fullEvery?: number | undefined;
}

/**
 * The VMBackupSchedule that does what is wished, with nothing in it that was not said.
 * @throws UsageError when the API server would refuse it
 */
export function scheduleFor(wish: Wish): object {
  const { name, namespace, vms, selector, schedule, timeZone, repository, fullEvery } = wish;
  if (vms.length > 0 === (selector !== undefined))
    throw new UsageError('say which VMs: name them, or give a selector with -l; not both and not neither');
  const parsed = parseSchedule(effectiveSchedule(schedule, name), timeZone ?? 'UTC');
  if (parsed.kind === 'Invalid') throw new UsageError(parsed.message);
  const spec = {
    schedule,
    ...(timeZone !== undefined && { timeZone }),
    ...(selector === undefined ? { vmNames: [...vms] } : { vmSelector: parseSelector(selector) }),
    template: { repository, ...(fullEvery !== undefined && { fullEvery }) },
  };
  const read = VMBackupScheduleSpec.safeParse(spec);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new UsageError(`${issue?.path.join('.') ?? 'the schedule'}: ${issue?.message ?? 'cannot be read'}`);
  }
  return { apiVersion: API_VERSION, kind: 'VMBackupSchedule', metadata: { name, namespace }, spec };
}
