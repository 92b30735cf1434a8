import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { decodeL1Entry, decodeL2Entry } from '../../src/mover/qcow2/entries.ts';
import { CLUSTER_BYTES, TABLE_ENTRIES } from '../../src/mover/qcow2/layout.ts';
import { unpackCluster } from '../../src/mover/qcow2/packed-cluster.ts';
import { Workshop } from './mover-rig.ts';

const workshop = new Workshop();
afterAll(() => workshop[Symbol.asyncDispose]());

test('clusters that QEMU compressed, and those it left plain, read as QEMU reads them', () => {
  const raw = workshop.at('disk.raw');
  const image = workshop.at('disk.qcow2');
  // Text that compresses to pieces of every size, noise that does not, and nothing at all.
  workshop.tool(
    'sh',
    '-c',
    `{ seq 1 400000; head -c 700000 /dev/urandom; seq 1 7 300000 | rev; } > "${raw}"; truncate -s 16M "${raw}"`,
  );
  const options = 'compression_type=zstd,cluster_size=65536';
  workshop.tool('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', options, raw, image);
  const truth = readFileSync(raw);
  const file = readFileSync(image);
  const l1Offset = Number(file.readBigUInt64BE(40));
  const l2Offset = decodeL1Entry(file.subarray(l1Offset), 0, file.length);
  if (typeof l2Offset === 'string') throw new Error(l2Offset);
  const l2 = file.subarray(l2Offset, l2Offset + CLUSTER_BYTES);
  const disk = Buffer.alloc(truth.length);
  const seen = { absent: 0, zeros: 0, plain: 0, packed: 0 };
  for (let cluster = 0; cluster < TABLE_ENTRIES; cluster++) {
    const entry = decodeL2Entry(l2, cluster, file.length);
    if (typeof entry === 'string') throw new Error(entry);
    seen[entry.kind]++;
    const at = cluster * CLUSTER_BYTES;
    if (entry.kind === 'plain') file.copy(disk, at, entry.host, entry.host + CLUSTER_BYTES);
    if (entry.kind === 'packed') {
      const content = unpackCluster(file.subarray(entry.host, entry.host + entry.storedBytes));
      if (typeof content === 'string') throw new Error(content);
      content.copy(disk, at);
    }
  }
  expect(disk.equals(truth)).toBe(true);
  expect(seen.packed).toBeGreaterThan(40);
  expect(seen.plain).toBeGreaterThan(5);
});
