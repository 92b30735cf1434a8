import { constants, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CLUSTER_BYTES } from '../../../src/mover/qcow2/layout.ts';
import { frameBytes, unpackCluster } from '../../../src/mover/qcow2/packed-cluster.ts';

/** A cluster that compresses in one way or another. */
const content = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 4000 }), fc.nat(CLUSTER_BYTES))
  .map(([pattern, length]) => Buffer.alloc(CLUSTER_BYTES).fill(Buffer.from(pattern), 0, length));
const level = fc.constantFrom(1, 3, 9, 19);

test('the length of a frame is found whatever follows it, and the cluster comes back', () => {
  fc.assert(
    fc.property(
      content,
      level,
      fc.boolean(),
      fc.uint8Array({ maxLength: 600 }),
      (cluster, level, checksum, rest) => {
        const params = {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_checksumFlag]: Number(checksum),
        };
        const frame = zstdCompressSync(cluster, { params });
        const stored = Buffer.concat([frame, rest]);
        expect(frameBytes(stored)).toBe(frame.length);
        const unpacked = unpackCluster(stored);
        expect(Buffer.isBuffer(unpacked) && unpacked.equals(cluster)).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
});

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['zeros', Buffer.alloc(512)],
  ['a cluster that is too short', zstdCompressSync(Buffer.alloc(CLUSTER_BYTES - 1))],
  ['a bomb', zstdCompressSync(Buffer.alloc(64 * 1024 * 1024))],
  ['a frame that was cut off', zstdCompressSync(Buffer.alloc(CLUSTER_BYTES, 'abc')).subarray(0, -3)],
])('%s is refused in words', (_, stored) => {
  expect(unpackCluster(stored)).toMatch(/^a compressed cluster /);
});

test('any bytes unpack to a cluster or to words, never to an exception', () => {
  const frame = zstdCompressSync(Buffer.alloc(CLUSTER_BYTES, 'tide'));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(frame.length), (noise, at) => {
      const stored = Buffer.concat([
        frame.subarray(0, at),
        Buffer.from(noise),
        frame.subarray(at + noise.length),
      ]);
      expect(['string', 'object']).toContain(typeof unpackCluster(stored));
    }),
    { numRuns: 1000 },
  );
});
