import type { Manifest, VolumeRecord } from '../../domain/manifest.ts';
import type { InspectedVolume, InspectResult } from '../../domain/mover-report.ts';
import { walkChain } from './chain.ts';
import { Fault } from './faults.ts';
import { readManifest } from './manifest-file.ts';

/**
 * Describes a committed backup, and says for each volume whether all that a restore needs is there by name, size and header.
 * What it finds is worded for the next incremental, which wants to stand on it: `ParentDataMissing`, `ParentDataDamaged`. Reads
 * no data: `verify` does.
 */
export async function inspectBackup(directory: string): Promise<InspectResult> {
  const result = { event: 'result', command: 'inspect', directory } as const;
  let manifest: Manifest;
  try {
    manifest = await readManifest(directory);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { kind, message } = error;
    return { ...result, usable: false, reason: `ParentData${kind}`, message, backup: null, volumes: [] };
  }
  const volumes: InspectedVolume[] = [];
  for (const record of manifest.volumes) volumes.push(await inspectVolume(directory, record));
  const bad = volumes.find(({ reason }) => reason !== null);
  return {
    ...result,
    usable: !bad,
    reason: bad?.reason ?? null,
    message: bad?.message ?? null,
    backup: {
      ...manifest.backup,
      type: manifest.type,
      bitmap: manifest.bitmap,
      chainId: manifest.chain.id,
      chainPosition: manifest.chain.position,
      vmUid: manifest.vm.uid,
    },
    volumes,
  };
}

async function inspectVolume(directory: string, record: VolumeRecord): Promise<InspectedVolume> {
  const { name, type, virtualSizeBytes, dataBytes, zeroBytes, bitmap, parent, image } = record;
  const told = {
    name,
    type,
    virtualSizeBytes,
    dataBytes,
    zeroBytes,
    bitmap,
    imageBytes: image.bytes,
    parentId: parent?.id ?? null,
  };
  try {
    const { parents } = await walkChain(directory, name);
    return { ...told, chainLength: parents.length + 1, reason: null, message: null };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { ...told, chainLength: 0, reason: `ParentData${error.kind}`, message: error.message };
  }
}
