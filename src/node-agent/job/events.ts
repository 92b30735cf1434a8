import type { Event } from '../../kube/events.ts';

/** Someone else holds the VM, and the backup waits. */
export function notYetEvent(reason: string, message: string): Event {
  return {
    type: 'Normal',
    reason,
    action: 'Wait',
    note: `${message} The backup begins when that has ended.`,
  };
}
