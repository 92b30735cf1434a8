import { expect, test } from 'vitest';
import { scheduleFor } from '../../../src/cli/protect/schedule.ts';

const wish = { name: 'nightly', namespace: 'shop', vms: ['db'], schedule: '0 2 * * *', repository: 'nas' };

test('a schedule holds what was said, and nothing else', () => {
  expect(scheduleFor(wish)).toEqual({
    apiVersion: 'backup.tidemark.dev/v1alpha1',
    kind: 'VMBackupSchedule',
    metadata: { name: 'nightly', namespace: 'shop' },
    spec: { schedule: '0 2 * * *', vmNames: ['db'], template: { repository: 'nas' } },
  });
});

test.each([
  ['no VMs', { vms: [] }, 'say which VMs'],
  ['names and a selector', { selector: 'app=db' }, 'say which VMs'],
  ['six fields', { schedule: '0 0 2 * * *' }, "schedule '0 0 2 * * *'"],
  ['a zone that is not there', { timeZone: 'Mars/Olympus' }, "timeZone 'Mars/Olympus' is not known"],
  ['too many backups in a chain', { fullEvery: 1001 }, 'template.fullEvery'],
])('%s is refused', (_, changes, message) => {
  expect(() => scheduleFor({ ...wish, ...changes })).toThrow(message);
});
