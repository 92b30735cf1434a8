import type { Logger } from 'pino';
import { type ControllerOptions, runController } from '../kube/controller.ts';
import { reconcileBackup } from './backup/reconcile.ts';
import { backupSources } from './backup/wake.ts';
import type { Caches } from './caches.ts';
import { reconcileListing } from './listing/reconcile.ts';
import { listingSources } from './listing/wake.ts';
import { reconcileOffline } from './offline/reconcile.ts';
import { offlineSources } from './offline/wake.ts';
import type { Tools } from './report.ts';
import { reconcileRepository, repositorySources } from './repository/reconcile.ts';
import { type RestoreOptions, reconcileRestore } from './restore/reconcile.ts';
import { restoreSources } from './restore/wake.ts';
import { reconcileRetention, retentionSources } from './retention/reconcile.ts';
import { reconcileSchedule } from './schedule/reconcile.ts';
import { scheduleSources } from './schedule/wake.ts';
import { reconcileTracking, trackingSources } from './tracking/reconcile.ts';
import type { UpkeepOptions } from './upkeep/orders.ts';
import { reconcileUpkeep } from './upkeep/reconcile.ts';
import { upkeepSources } from './upkeep/wake.ts';

/** Runs the controllers until the signal aborts. */
export async function runControllers(
  caches: Caches,
  options: RestoreOptions & UpkeepOptions,
  tools: Tools,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = tools;
  const shared = { log, clock, ...(tools.meter && { meter: tools.meter }) };
  const controllers: readonly Omit<ControllerOptions, 'log' | 'clock'>[] = [
    {
      name: 'backup',
      sources: backupSources(caches, () => clock.now()),
      reconcile: (key, signal) => reconcileBackup(caches, options.clusterId, tools, key, signal),
      // One at a time: two backups of one VM are never planned past each other.
      concurrency: 1,
    },
    {
      name: 'schedule',
      sources: scheduleSources(caches),
      reconcile: (key, signal) => reconcileSchedule(caches, tools, key, signal),
    },
    {
      name: 'retention',
      sources: retentionSources(caches),
      reconcile: (key, signal) => reconcileRetention(caches, tools, key, signal),
    },
    {
      name: 'repository',
      sources: repositorySources(caches),
      reconcile: (key, signal) => reconcileRepository(caches, tools, key, signal),
    },
    {
      name: 'upkeep',
      sources: upkeepSources(caches),
      reconcile: (key, signal) => reconcileUpkeep(caches, options, tools, key, signal),
    },
    {
      name: 'listing',
      sources: listingSources(caches),
      reconcile: (key, signal) => reconcileListing(caches, options, tools, key, signal),
      // One at a time: two would both find room for their Jobs.
      concurrency: 1,
    },
    {
      name: 'tracking',
      sources: trackingSources(caches),
      reconcile: (key, signal) => reconcileTracking(caches, tools, key, signal),
    },
    {
      name: 'offline',
      sources: offlineSources(caches),
      reconcile: (key, signal) => reconcileOffline(caches, options, tools, key, signal),
    },
    {
      name: 'restore',
      sources: restoreSources(caches),
      reconcile: (key, signal) => reconcileRestore(caches, options, tools, key, signal),
    },
  ];
  await Promise.all(controllers.map((options) => runController({ ...options, ...shared }, signal)));
}
