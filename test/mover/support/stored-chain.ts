import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FORMAT_VERSION, type ParentLink, type VolumeRecord } from '../../../src/domain/manifest.ts';
import { CLUSTER_BYTES } from '../../../src/mover/qcow2/layout.ts';
import { Qcow2Writer } from '../../../src/mover/qcow2/writer.ts';
import { backingPath } from '../../../src/mover/repository/chain.ts';
import { writeManifest } from '../../../src/mover/repository/manifest-file.ts';
import { SummedFile } from '../../../src/mover/repository/summed-file.ts';
import { SUM_BLOCK_BYTES } from '../../../src/mover/repository/sums.ts';

/** What one backup changes: cluster → the byte it is filled with; 0 for a zero record. */
export type Changes = ReadonlyMap<number, number>;

/** Writes backups `b000`, `b001`, … of volume `vda`, each on top of the one before, as the mover does, but without any NBD server. */
export class StoredChain {
  readonly directories: string[] = [];
  readonly #root: string;
  readonly #prefix: string;
  #parent: ParentLink | null = null;

  /** @param prefix of the names of its backups: several chains may share a directory */
  constructor(root: string, prefix = 'b') {
    this.#root = root;
    this.#prefix = prefix;
  }

  get tip(): string {
    return this.directories.at(-1)!;
  }

  image(position: number): string {
    return join(this.directories[position]!, 'vda.qcow2');
  }

  async add(virtualSizeBytes: number, changes: Changes): Promise<string> {
    const position = this.directories.length;
    const id = `${this.#prefix}${String(position).padStart(3, '0')}`;
    const directory = join(this.#root, id);
    mkdirSync(directory, { recursive: true });
    const record = await writeVolume(directory, virtualSizeBytes, changes, this.#parent);
    const uid = `uid-of-${id}`;
    await writeManifest(directory, {
      formatVersion: FORMAT_VERSION,
      backup: { id, name: id, namespace: '', uid, createdAt: '2026-11-23T10:00:00Z' },
      cluster: '',
      vm: { name: 'vm', namespace: 'ns', uid: 'vm-uid' },
      chain: { id: this.#prefix === 'b' ? 'chain' : `chain-${this.#prefix}`, position },
      type: record.type,
      reason: '',
      message: '',
      bitmap: null,
      parent: this.#parent ? { name: this.#parent.id, id: this.#parent.id } : null,
      definitions: {},
      completedAt: '2026-11-23T10:00:01Z',
      attempt: 1,
      volumes: [record],
      files: [],
    });
    this.directories.push(directory);
    this.#parent = { id, uid, sumsSha256: record.sums.sha256, virtualSizeBytes };
    return directory;
  }
}

async function writeVolume(
  directory: string,
  virtualSizeBytes: number,
  changes: Changes,
  parent: ParentLink | null,
): Promise<VolumeRecord> {
  await using file = SummedFile.create(join(directory, 'vda.qcow2'), join(directory, 'vda.sums'));
  const backingFile = parent ? backingPath(parent.id, 'vda.qcow2') : null;
  const image = new Qcow2Writer(file, { virtualSizeBytes, backingFile, compression: 'none' });
  for (const [cluster, fill] of [...changes].sort(([a], [b]) => a - b)) {
    const offset = cluster * CLUSTER_BYTES;
    if (fill === 0) image.writeZeros(offset, CLUSTER_BYTES);
    else image.writeData(offset, filledCluster(fill, virtualSizeBytes - offset));
    if (cluster % 64 === 0) await file.flush();
  }
  image.finish();
  const { sumsBytes, sumsSha256 } = await file.commit();
  return {
    name: 'vda',
    type: parent ? 'Incremental' : 'Full',
    reason: '',
    bitmap: parent ? 'bitmap' : null,
    parent,
    virtualSizeBytes,
    ...image.totals,
    image: {
      file: 'vda.qcow2',
      format: 'qcow2',
      bytes: file.bytes,
      clusterBytes: CLUSTER_BYTES,
      compression: 'none',
    },
    sums: {
      file: 'vda.sums',
      algorithm: 'crc32',
      blockBytes: SUM_BLOCK_BYTES,
      bytes: sumsBytes,
      sha256: sumsSha256,
    },
  };
}

/** A cluster as the copy stores it: the last one of a disk comes filled up with zeros. */
export function filledCluster(fill: number, left = CLUSTER_BYTES): Buffer {
  const cluster = Buffer.alloc(CLUSTER_BYTES);
  return cluster.fill(fill, 0, Math.min(CLUSTER_BYTES, left));
}
