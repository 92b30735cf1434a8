import { expect, test } from 'vitest';
import { bandwidthOf } from '../../src/domain/bandwidth.ts';
import { parseQuantity } from '../../src/domain/quantity.ts';

const MIB = 2 ** 20;

test.each([
  ['without any limit there is none', undefined, undefined, undefined],
  ["a repository's limit is shared by all that the node may run", undefined, '200Mi', 100 * MIB],
  ['a limit of the agent holds for one backup', 30 * MIB, undefined, 30 * MIB],
  ['the lower one holds', 30 * MIB, '200Mi', 30 * MIB],
  ['the lower one holds, the other way round', 300 * MIB, '200Mi', 100 * MIB],
  ['a limit is never nothing', undefined, '1', 1],
])('%s', (_, perBackup, ofRepository, limit) => {
  expect(bandwidthOf({ perBackup, maxBackups: 2 }, ofRepository)).toBe(limit);
});

test.each([
  ['200Mi', 200 * MIB],
  ['1.5G', 1.5e9],
  ['7', 7],
  ['0', undefined],
  ['-1', undefined],
  ['200 Mi', undefined],
  ['fast', undefined],
])('the quantity %s is %s', (text, bytes) => {
  expect(parseQuantity(text)).toBe(bytes);
});
