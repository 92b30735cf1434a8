import type { VMBackup } from '../../crds/vmbackup.ts';
import { currentExecution } from '../../domain/outcome.ts';

const CRASH_CONSISTENT = 'the disks hold what they would hold after a power cut';

/** Whether the file systems were frozen, in a sentence. */
export function quiesceLine({ spec, status }: Pick<VMBackup, 'spec' | 'status'>): string {
  const quiesce = currentExecution(status?.plan, status?.execution)?.quiesce;
  const policy = `spec.quiesce is ${spec.quiesce}`;
  if (quiesce === undefined) return `Nothing is known yet; ${policy}.`;
  const said = quiesce.message === undefined ? '' : ` (${quiesce.message.replace(/\.$/, '')})`;
  switch (quiesce.result) {
    case 'Frozen': {
      const time = quiesce.frozenMilliseconds;
      return `Frozen: the guest agent held the file systems still${time === undefined ? '' : ` for ${time} ms`}${said}; ${policy}.`;
    }
    case 'NoAgent':
      return `NoAgent: no guest agent answered${said}, so ${CRASH_CONSISTENT}; ${policy}.`;
    case 'Failed':
      return `Failed: the guest agent could not freeze the file systems${said}, so ${CRASH_CONSISTENT}; ${policy}.`;
    case 'NotAsked':
      return `NotAsked: ${policy}${said}, so ${CRASH_CONSISTENT}.`;
  }
}
