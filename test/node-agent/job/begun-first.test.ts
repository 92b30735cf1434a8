import { expect, test } from 'vitest';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import type { Change } from '../../../src/kube/change.ts';
import { begunFirst } from '../../../src/node-agent/job/begun-first.ts';
import { backup, execution, plan } from '../../domain/builders.ts';

test('after a start, the backups that a killed agent had begun come before those that wait', () => {
  const begun = { plan: plan(), execution: execution({ completedAt: undefined }) };
  const all = [
    backup({ name: 'waits', status: { plan: plan() } }),
    backup({ name: 'failed-before', status: { plan: plan({ attempt: 2 }), execution: execution() } }),
    backup({ name: 'ended', status: { plan: plan(), execution: execution() } }),
    backup({ name: 'begun', status: begun }),
  ];
  const cache = {
    synced: Promise.resolve(),
    list: () => all,
    onChange(handler: (change: Change<VMBackup>) => void) {
      for (const object of all) handler({ key: `shop/${object.metadata.name}`, old: undefined, new: object });
      return () => undefined;
    },
  };
  const keys = new Set<string>();
  begunFirst(cache).subscribe((key) => keys.add(key));
  expect([...keys]).toEqual(['shop/begun', 'shop/waits', 'shop/failed-before', 'shop/ended']);
});
