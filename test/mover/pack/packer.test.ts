import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { PLAIN, ZEROS } from '../../../src/mover/pack/pack-cluster.ts';
import { Packer } from '../../../src/mover/pack/packer.ts';
import { CLUSTER_BYTES } from '../../../src/mover/qcow2/layout.ts';
import { unpackCluster } from '../../../src/mover/qcow2/packed-cluster.ts';

const text = Buffer.from('all work and no play '.repeat(4000)).subarray(0, CLUSTER_BYTES);
const noise = randomBytes(CLUSTER_BYTES);
const half = Buffer.concat([text.subarray(0, CLUSTER_BYTES / 2), noise.subarray(0, CLUSTER_BYTES / 2)]);

function shared(clusters: readonly Buffer[]): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(clusters.length * CLUSTER_BYTES);
  Buffer.concat(clusters).copy(Buffer.from(memory));
  return memory;
}

test('zeros are told, noise stays as it is, all else unpacks to what it was', async () => {
  await using packer = new Packer(2, 3);
  const clusters = [text, Buffer.alloc(CLUSTER_BYTES), noise, half];
  const frames = new SharedArrayBuffer(clusters.length * CLUSTER_BYTES);
  const sizes = await packer.pack({ clusters: shared(clusters), frames, length: frames.byteLength });
  expect(sizes.slice(1, 3)).toEqual([ZEROS, PLAIN]);
  for (const i of [0, 3]) {
    expect(sizes[i]).toBeLessThan(CLUSTER_BYTES - 4096);
    expect(unpackCluster(Buffer.from(frames, i * CLUSTER_BYTES, sizes[i]))).toEqual(clusters[i]);
  }
});

test('what lies beyond the given length is left alone', async () => {
  await using packer = new Packer(1, 3);
  const frames = new SharedArrayBuffer(2 * CLUSTER_BYTES);
  expect(await packer.pack({ clusters: shared([text, text]), frames, length: CLUSTER_BYTES })).toHaveLength(
    1,
  );
  expect(Buffer.from(frames, CLUSTER_BYTES).every((byte) => byte === 0)).toBe(true);
});

test('more slabs than threads are packed one after another, each for whom it was given', async () => {
  await using packer = new Packer(2, 1);
  const packed = Array.from({ length: 20 }, async (_, i) => {
    const cluster = Buffer.alloc(CLUSTER_BYTES, `${i} `);
    const frames = new SharedArrayBuffer(CLUSTER_BYTES);
    const [size] = await packer.pack({ clusters: shared([cluster]), frames, length: CLUSTER_BYTES });
    expect(unpackCluster(Buffer.from(frames, 0, size))).toEqual(cluster);
  });
  await Promise.all(packed);
});

test('a packer that has ended fails what is with it, and what comes', async () => {
  const packer = new Packer(1, 19);
  const give = () => {
    const frames = new SharedArrayBuffer(CLUSTER_BYTES);
    return packer.pack({ clusters: shared([half]), frames, length: CLUSTER_BYTES });
  };
  const given = [give(), give()];
  const ended = packer[Symbol.asyncDispose]();
  for (const one of given) await expect(one).rejects.toThrow('has ended');
  await ended;
  await expect(give()).rejects.toThrow('has ended');
});
