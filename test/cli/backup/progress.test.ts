import { expect, test } from 'vitest';
import { progressLine } from '../../../src/cli/backup/progress.ts';
import { LiveLine } from '../../../src/cli/screen/live-line.ts';
import { backup, execution, failure, goodBackup, plan } from '../../domain/builders.ts';
import { written } from '../builders.ts';

const copying = execution({
  completedAt: undefined,
  progress: { percent: 50, doneBytes: 2 ** 30, totalBytes: 2 ** 31, bytesPerSecond: 2 ** 26 },
});

test.each([
  ['nobody has looked at yet', backup(), 'waits for the controller'],
  [
    'is planned',
    backup({ status: { plan: plan() } }),
    "Full (NoEarlierBackup), waits for the agent on node 'n1'",
  ],
  [
    'copies',
    backup({ status: { plan: plan(), execution: copying } }),
    '████████████░░░░░░░░░░░░ 50%  1.0Gi of 2.0Gi, 64.0Mi/s, 16s left',
  ],
  [
    'failed for good',
    backup({ status: { plan: plan(), execution: execution({ error: { ...failure, final: true } }) } }),
    'CopyFailed: The disk is full.',
  ],
  ['is done', goodBackup('good'), 'Succeeded'],
])('a backup that %s', (_, about, expected) => {
  expect(progressLine(about).text).toBe(expected);
});

test('a line changes in place on a terminal, cut at the edge until it stays, and is written once for each change elsewhere', () => {
  const [screen, file] = [written(true), written()];
  for (const output of [screen, file]) {
    const line = new LiveLine(output);
    for (const text of ['a', 'a', 'b']) line.show(text);
    line.end();
  }
  const inPlace = (text: string): string => `\r\u001b[?7l${text}\u001b[K\u001b[?7h`;
  expect(screen.text).toBe(`${inPlace('a')}${inPlace('b')}\rb\u001b[K\n`);
  expect(file.text).toBe('a\nb\n');
});
