import type { VMBackup } from '../../crds/vmbackup.ts';
import type { BackupDecision } from '../../domain/decide-backup.ts';
import { conditionOf } from '../../kube/conditions.ts';
import type { Event } from '../../kube/events.ts';
import { tellPlan, tellSuccess } from './status.ts';

/** What is worth telling the owner of a backup: what changed between its status and the decision. */
export function backupEvents({ metadata, status }: VMBackup, decision: BackupDecision): readonly Event[] {
  switch (decision.kind) {
    case 'Plan':
      return [event('Normal', 'Planned', tellPlan(decision.plan))];
    case 'Wait': {
      const { reason, message } = decision.why;
      if (conditionOf(status?.conditions, 'Reconciling')?.reason === reason) return [];
      const bad = decision.needsPerson || reason === 'AttemptFailed';
      return [event(bad ? 'Warning' : 'Normal', reason, message)];
    }
    case 'InProgress':
      return [];
    case 'Succeeded': {
      if (conditionOf(status?.conditions, 'Ready')?.status === 'True') return [];
      const fallback = decision.standing.execution.incrementalFallback;
      const done = event('Normal', 'Succeeded', tellSuccess(decision, metadata.uid));
      return fallback === undefined ? [done] : [incrementalFallback(fallback), done];
    }
    case 'Failed':
      if (conditionOf(status?.conditions, 'Stalled') !== undefined) return [];
      return [event('Warning', decision.why.reason, decision.why.message)];
  }
}

function incrementalFallback(fallback: { readonly reason: string; readonly message: string }): Event {
  return event('Warning', 'IncrementalFallback', `${fallback.reason}: ${fallback.message}`);
}

function event(type: Event['type'], reason: string, note: string): Event {
  return { type, reason, action: 'Backup', note };
}
