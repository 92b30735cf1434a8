import { expect, test } from 'vitest';
import { parseBytes } from '../../src/mover/arguments.ts';
import { throttled } from '../../src/mover/report.ts';
import { formatBytes, formatProgress, formatSeconds, formatTable } from '../../src/mover/terminal.ts';

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [200 * 2 ** 20, '200 MiB'],
  [5 * 2 ** 40, '5.0 TiB'],
])('%d bytes read as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0.4, '0s'],
  [65, '1m05s'],
  [3725, '1h02m05s'],
])('%d seconds read as %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});

test('progress tells bar, share, rate and time left', () => {
  const MiB = 2 ** 20;
  const progress = {
    volume: 'vda',
    phase: 'copying',
    bytesDone: 512 * MiB,
    bytesTotal: 2048 * MiB,
    bytesRead: 256 * MiB,
    bytesStored: 0,
  } as const;
  expect(formatProgress(progress, 2000)).toBe(
    'vda copying ██████░░░░░░░░░░░░░░░░░░  25% 256 MiB read, 128 MiB/s, 6s left',
  );
});

test('progress of an empty disk does not divide by nothing', () => {
  const progress = {
    volume: 'vda',
    phase: 'copying',
    bytesDone: 0,
    bytesTotal: 0,
    bytesRead: 0,
    bytesStored: 0,
  } as const;
  expect(formatProgress(progress, 0)).toContain('100% 0 B read, 0 B/s');
});

test('reports come at most twice a second, and at each change of phase', () => {
  let now = 0;
  const told: string[] = [];
  const meter = throttled(
    ({ phase, bytesDone }) => told.push(`${phase} ${bytesDone}`),
    () => now,
  );
  const say = (phase: 'copying' | 'syncing', bytesDone: number): void =>
    meter({ volume: 'vda', phase, bytesDone, bytesTotal: 9, bytesRead: 0, bytesStored: 0 });
  for (now = 0; now < 1100; now += 100) say('copying', now);
  say('syncing', 9);
  expect(told).toEqual(['copying 0', 'copying 500', 'copying 1000', 'syncing 9']);
});

test('volumes that are copied at the same time do not make each other talk', () => {
  let now = 0;
  const told: string[] = [];
  const meter = throttled(
    ({ volume }) => told.push(`${volume} ${now}`),
    () => now,
  );
  for (; now < 700; now += 100) {
    for (const volume of ['a', 'b'])
      meter({ volume, phase: 'copying', bytesDone: now, bytesTotal: 9, bytesRead: 0, bytesStored: 0 });
  }
  expect(told).toEqual(['a 0', 'b 0', 'a 500', 'b 500']);
});

test('a table has columns as wide as they need to be', () => {
  expect(
    formatTable([
      ['A', 'BB'],
      ['long', 'x'],
    ]),
  ).toBe('A     BB\nlong  x');
});

test.each([
  ['1024', 1024],
  ['200Mi', 209715200],
  ['1.5Ki', 1536],
  ['10M', 10_000_000],
  ['1e9', 1_000_000_000],
])('%s is a number of bytes', (text, bytes) => {
  expect(parseBytes(text, 'limit')).toBe(bytes);
});

test.each(['', '0', '-1', '5 MB', 'fast', '9999999999Ti'])('"%s" is no number of bytes', (text) => {
  expect(() => parseBytes(text, 'limit')).toThrow(expect.objectContaining({ reason: 'UsageError' }));
});
