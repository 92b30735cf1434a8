import { Counter, Histogram, type Registry } from 'prom-client';
import type { VMBackup } from '../../crds/vmbackup.ts';
import { outcomeOf } from '../../domain/outcome.ts';
import { isOver, type Standing, standingOf } from '../../domain/standing.ts';
import type { Change } from '../../kube/change.ts';
import { bytesOf, frozenSeconds, secondsOf } from './last-backup.ts';

/** More reasons than Tidemark has: beyond them an agent talks nonsense, and each would be a series for ever. */
const REASONS_LIMIT = 200;

/**
 * Counts what ends. A counter begins at zero with each process, as Prometheus expects; what ended while no controller ran is
 * not in it, but in the gauges, which are read from the objects.
 */
export function finishedMetrics(register: Registry): (change: Change<VMBackup>) => void {
  const registers = [register];
  const finished = new Counter({
    name: 'tidemark_backups_finished_total',
    help: 'Backups that ended, by result (Succeeded, Failed), type (Full, Incremental, or "" if it was not decided), and reason: why this type, or why it failed.',
    labelNames: ['namespace', 'repository', 'result', 'type', 'reason'],
    registers,
  });
  const fallbacks = new Counter({
    name: 'tidemark_backup_fallbacks_total',
    help: 'Good backups that were planned as incremental, and in which a disk got a full instead, by reason.',
    labelNames: ['repository', 'reason'],
    registers,
  });
  const planned = new Counter({
    name: 'tidemark_backups_planned_incremental_total',
    help: 'Good backups that were planned as incremental: what the fallbacks are a share of.',
    labelNames: ['repository'],
    registers,
  });
  const bytes = new Counter({
    name: 'tidemark_backup_bytes_total',
    help: 'Bytes of good backups by kind: size of the disks, data read and kept, zero recorded as zero, stored in the repository.',
    labelNames: ['namespace', 'repository', 'kind'],
    registers,
  });
  const duration = new Histogram({
    name: 'tidemark_backup_duration_seconds',
    help: 'How long good backups took, from start to commit.',
    labelNames: ['repository', 'type'],
    buckets: [10, 30, 60, 300, 900, 3600, 3 * 3600, 12 * 3600],
    registers,
  });
  const frozen = new Histogram({
    name: 'tidemark_backup_frozen_seconds',
    help: 'How long guests were frozen.',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const bounded = boundedTo(REASONS_LIMIT);

  function count(backup: VMBackup, standing: Standing): void {
    const { namespace = '' } = backup.metadata;
    const { repository } = backup.spec;
    const of = { namespace, repository };
    if (standing.kind === 'Failed') {
      const type = backup.status?.plan?.type ?? '';
      finished.inc({ ...of, result: 'Failed', type, reason: bounded(standing.why.reason) });
    }
    if (standing.kind !== 'Succeeded') return;
    const { plan, execution } = standing;
    const { type, typeReason } = outcomeOf(plan, execution, backup.metadata.uid);
    finished.inc({ ...of, result: 'Succeeded', type, reason: bounded(typeReason) });
    if (plan.type === 'Incremental') planned.inc({ repository });
    const fallback = execution.incrementalFallback?.reason;
    if (fallback !== undefined) fallbacks.inc({ repository, reason: bounded(fallback) });
    for (const [kind, value] of Object.entries(bytesOf(execution))) bytes.inc({ ...of, kind }, value);
    duration.observe({ repository, type }, Math.max(0, secondsOf(execution) ?? 0));
    const frozenFor = frozenSeconds(execution);
    if (frozenFor !== undefined) frozen.observe(frozenFor);
  }

  return ({ old, new: now }) => {
    if (old === undefined || now === undefined || isOver(standingOf(old))) return;
    const standing = standingOf(now);
    if (isOver(standing)) count(now, standing);
  };
}

/** Keeps the first values, and calls all others `Other`. */
export function boundedTo(limit: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.size < limit) known.add(value);
    return known.has(value) ? value : 'Other';
  };
}
