import { describe, expect, test } from 'vitest';
import { lastGoodRows, sinceRows } from '../../../src/controller/metrics/protection.ts';
import { scheduledLabels } from '../../../src/domain/labels.ts';
import { ago, backup, failure, goodBackup, NOW, schedule, virtualMachine } from '../../domain/builders.ts';

const seconds = (time: string) => Date.parse(time) / 1000;

function scheduled(name: string, vm: string, by: string, pointInTime: string) {
  const good = goodBackup(name, { execution: { pointInTime }, spec: { vmName: vm } });
  return { ...good, metadata: { ...good.metadata, labels: scheduledLabels(by, vm) } };
}

describe('the last good backup of a VM', () => {
  const nightly = schedule();
  const { name } = nightly.metadata;

  test('is the newest by its point in time, whatever came first', () => {
    const rows = lastGoodRows(
      [
        scheduled('b', 'db', name, ago(100)),
        scheduled('a', 'db', name, ago(50)),
        scheduled('c', 'db', name, ago(90)),
      ],
      [nightly],
    );
    expect(rows).toEqual([
      { labels: { namespace: 'shop', vm: 'db', schedule: name }, value: seconds(ago(50)) },
    ]);
  });

  test('is told for each schedule, and for those by hand', () => {
    const byHand = goodBackup('hand', { execution: { pointInTime: ago(5) } });
    const rows = lastGoodRows([scheduled('a', 'db', name, ago(50)), byHand], [nightly]);
    expect(new Set(rows.map(({ labels }) => labels['schedule']))).toEqual(new Set(['', name]));
  });

  test('counts as by hand when its schedule is gone', () => {
    const rows = lastGoodRows([scheduled('a', 'db', 'gone', ago(50))], [nightly]);
    expect(rows[0]?.labels['schedule']).toBe('');
  });

  test('is none that failed or runs', () => {
    const failed = goodBackup('f', { execution: { error: { ...failure, final: true } } });
    expect(lastGoodRows([failed, backup({ createdAt: new Date(NOW).toISOString() })], [nightly])).toEqual([]);
  });
});

describe('the VMs that are to have a backup in time', () => {
  const named = (name: string) => ({ ...virtualMachine, metadata: { name, uid: name } });
  const vms = [named('db'), named('web')];
  const taking = (whenStopped: 'Backup' | 'Skip') => {
    const { spec, ...rest } = schedule();
    return { ...rest, spec: { ...spec, template: { ...spec.template, whenStopped } } };
  };
  const due = (whenStopped: 'Backup' | 'Skip') =>
    sinceRows(taking(whenStopped), vms, (vm) => vm.metadata.name === 'db').map(({ labels }) => labels['vm']);

  test('are all that a schedule takes, stopped ones too', () => {
    expect(due('Backup')).toEqual(['db', 'web']);
  });

  test('but not those that are stopped, if it skips them', () => {
    expect(due('Skip')).toEqual(['web']);
  });
});
