import type { Registry } from 'prom-client';
import { type Family, registerFamilies } from '../../kube/metrics/family.ts';
import type { Caches } from '../caches.ts';
import { backlogFamilies } from './backlog.ts';
import { finishedMetrics } from './finished.ts';
import { lastBackupFamilies } from './last-backup.ts';
import { protectionFamilies } from './protection.ts';
import { repositoryFamilies } from './repositories.ts';

/**
 * The controller's metrics of what it looks after. Only the replica that leads tells them: two would say everything twice.
 *
 * @param leads whether this replica does, now
 * @param now milliseconds since the epoch
 */
export function registerControllerMetrics(
  register: Registry,
  caches: Caches,
  leads: () => boolean,
  now: () => number,
): void {
  const leader: Family = {
    name: 'tidemark_controller_leads',
    help: '1 if this replica of the controller acts, 0 if it stands by.',
    labelNames: [],
    rows: () => [{ labels: {}, value: leads() ? 1 : 0 }],
  };
  const families = [
    ...protectionFamilies(caches, now),
    ...lastBackupFamilies(caches),
    ...backlogFamilies(caches),
    ...repositoryFamilies(caches, now),
  ];
  registerFamilies(register, [leader]);
  registerFamilies(register, families, leads);
  const count = finishedMetrics(register);
  caches.backups.onChange((change) => {
    if (leads()) count(change);
  });
}
