import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { painterFor, plain } from '../../../src/cli/screen/style.ts';
import { statusReport } from '../../../src/cli/status/report.ts';
import { statusLines } from '../../../src/cli/status/screen.ts';
import { ago, backup, execution, failure, goodBackup, NOW, plan, VM_UID } from '../../domain/builders.ts';
import { schedule, written } from '../builders.ts';

const vm = (name: string, uid = `uid-of-${name}`) => ({ metadata: { name, namespace: 'shop', uid } });
const bad = backup({
  name: 'bad',
  status: {
    plan: plan(),
    execution: execution({ completedAt: ago(4 * 3600), error: { ...failure, final: true } }),
  },
});
const report = statusReport(
  {
    vms: [vm('db', VM_UID), vm('web')],
    schedules: [schedule('nightly'), schedule('typo', { vmNames: ['bd'] })],
    backups: [bad, goodBackup('good', { execution: { pointInTime: ago(3 * 3600) } })],
  },
  NOW,
);

test('people see an aligned table, and what to do', () => {
  const lines = statusLines(report, { allNamespaces: false, paint: plain, now: NOW });
  expect(lines.join('\n')).toBe(
    `
VM                PROTECTED BY   LAST GOOD   TYPE   POSITION   NOW   LAST FAILURE         NEXT RUN
bd (no such VM)   typo           never       -      -          -     -                    in 8h
db                nightly        3h ago      Full   0          -     CopyFailed, 4h ago   in 8h
web               nothing        never       -      -          -     -                    -

bd: there is no such VirtualMachine, and vmNames of typo lists it: correct the name, or make the VM.
web: no VMBackupSchedule takes it: add it to a schedule's vmNames, or give it the labels of a vmSelector.
web: there is no good backup to restore it from.
`.trim(),
  );
});

test('with all namespaces, the namespace is told', () => {
  const lines = statusLines(report, { allNamespaces: true, paint: plain, now: NOW });
  expect(lines[0]).toMatch(/^NAMESPACE {3}VM /);
  expect(lines[2]).toMatch(/^shop {8}db /);
  expect(lines.at(-1)).toMatch(/^shop\/web: /);
});

test('a failure that nothing has overcome comes with its message and the way on', () => {
  const failing = statusReport(
    { vms: [vm('db', VM_UID)], schedules: [schedule('nightly')], backups: [bad] },
    NOW,
  );
  const lines = statusLines(failing, { allNamespaces: false, paint: plain, now: NOW });
  expect(lines).toContain('db: its last backup failed: The disk is full. (kubectl tidemark why -n shop bad)');
});

test('an empty namespace is told in words', () => {
  expect(statusLines([], { allNamespaces: false, paint: plain, now: NOW })).toEqual([
    'There is no VirtualMachine here, and no backup of one.',
  ]);
});

describe('colours', () => {
  test.each([
    ['on a terminal', true, {}, true],
    ['not in a pipe', undefined, {}, false],
    ['not with NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['with an empty NO_COLOR, which counts for nothing', true, { NO_COLOR: '' }, true],
    ['not on a dumb terminal', true, { TERM: 'dumb' }, false],
  ])('%s', (_, isTTY, env, coloured) => {
    const paint = painterFor({ stdout: written(isTTY), env }, true);
    expect(paint({ text: 'never', tone: 'bad' })).toBe(coloured ? '\u001b[31mnever\u001b[0m' : 'never');
  });

  test('the columns are aligned under them, too', () => {
    const coloured = statusLines(report, {
      allNamespaces: false,
      paint: painterFor({ stdout: written(true), env: {} }, true),
      now: NOW,
    });
    const uncoloured = statusLines(report, { allNamespaces: false, paint: plain, now: NOW });
    expect(coloured).not.toEqual(uncoloured);
    expect(coloured.map((line) => stripVTControlCharacters(line))).toEqual(uncoloured);
  });

  test('nothing that a cluster says steers the terminal', () => {
    expect(plain({ text: 'a\u001b[2Jb\nc\u009bd' })).toBe('a [2Jb c d');
  });
});
