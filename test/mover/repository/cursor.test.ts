import { expect, test } from 'vitest';
import { formatCursor, parseCursor, startWithin } from '../../../src/mover/repository/cursor.ts';

const cursor = { id: '20261123T100000Z-ab12cd34', volume: 'data', offset: 131_072 };

test('a cursor reads back as it was told', () => {
  expect(parseCursor(formatCursor(cursor))).toEqual(cursor);
});

test.each(['', 'b0', 'b0/vda', 'b0/vda/x', 'b0/vda/1', 'b0/vda/-65536', 'a/b/c/0', 'b0/vda/65536 '])(
  '%j is none',
  (text) => {
    expect(() => parseCursor(text)).toThrow(/not a place where a verification stopped/);
  },
);

test.each<[string, string, string, number | null]>([
  ['an older backup is done', '20261122T100000Z-ff', 'data', null],
  ['a newer one is to do', '20261124T100000Z-00', 'aaa', 0],
  ['an earlier volume of the same is done', cursor.id, 'aaa', null],
  ['the volume itself goes on', cursor.id, 'data', 131_072],
  ['a later volume is to do', cursor.id, 'rootdisk', 0],
])('%s', (_, id, volume, start) => {
  expect(startWithin(cursor, id, volume)).toBe(start);
});

test('without a cursor all is to do', () => {
  expect(startWithin(null, 'b0', 'vda')).toBe(0);
});
