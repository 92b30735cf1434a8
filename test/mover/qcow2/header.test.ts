import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeHeader, encodeHeader, type ImageHeader } from '../../../src/mover/qcow2/header.ts';

const header: ImageHeader = {
  virtualSizeBytes: 5 * 2 ** 40 + 512,
  clusterBits: 16,
  l1Entries: 3,
  l1Offset: 65536,
  refcountTableOffset: 2 * 65536,
  refcountTableClusters: 1,
  backingFile: '../b0/vda.qcow2',
  compression: 'none',
};

test.each<ImageHeader>([
  { ...header, compression: 'zstd' },
  { ...header, backingFile: null, compression: 'zstd' },
  header,
  { ...header, backingFile: null },
  { ...header, backingFile: 'x'.repeat(1023) },
])('a header reads back as it was written', (written) => {
  expect(decodeHeader(encodeHeader(written))).toEqual(written);
});

test('a name that is too long is never cut off', () => {
  expect(() => encodeHeader({ ...header, backingFile: 'x'.repeat(1024) })).toThrow(RangeError);
});

test.each<[string, (bytes: Buffer) => void, RegExp]>([
  ['another magic number', (b) => b.write('QED\0'), /not a qcow2/],
  ['version 2', (b) => b.writeUInt32BE(2, 4), /version 2/],
  ['an external data file', (b) => b.writeUInt8(4, 79), /features/],
  ['an unknown compression', (b) => b.writeUInt8(8, 79), /features/],
  ['encryption', (b) => b.writeUInt32BE(2, 32), /encrypted/],
  ['snapshots', (b) => b.writeUInt32BE(1, 60), /snapshots/],
  ['a backing file that is not qcow2', (b) => b.write('raw\0\0', 112), /not named as a qcow2/],
  ['one more extension', (b) => b.writeUInt32BE(0x44415441, 120), /not named as a qcow2/],
  ['a backing name outside the header', (b) => b.writeUInt32BE(0x7fffffff, 12), /outside/],
])('%s is refused', (_, spoil, message) => {
  const bytes = encodeHeader(header);
  spoil(bytes);
  expect(decodeHeader(bytes)).toMatch(message);
});

test('an extension without a backing file is refused', () => {
  const bytes = encodeHeader({ ...header, backingFile: null });
  bytes.writeUInt32BE(0x44415441, 104);
  expect(decodeHeader(bytes)).toMatch(/unknown extension/);
});

test('any bytes read as a header or as a sentence, never as an exception', () => {
  const good = encodeHeader(header).subarray(0, 512);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(511), fc.boolean(), (noise, at, fromGood) => {
      const bytes = fromGood ? Buffer.from(good) : Buffer.from(noise);
      if (fromGood) Buffer.from(noise).copy(bytes, at);
      expect(['string', 'object']).toContain(typeof decodeHeader(bytes));
    }),
    { numRuns: 2000 },
  );
});
