import type { VolumeRecord } from '../../domain/manifest.ts';
import type { BlockSource } from '../qcow2/block-source.ts';
import { CLUSTER_BYTES, TABLE_ENTRIES } from '../qcow2/layout.ts';
import { ImageTables } from '../qcow2/tables.ts';

/**
 * Walks all tables of an image whose blocks are known to be good: they must be lawful, and describe as much as the manifest tells.
 * @throws what `source.damaged` gives
 */
export function verifyTables(
  source: BlockSource,
  { dataBytes, zeroBytes, virtualSizeBytes }: VolumeRecord,
): void {
  const tables = new ImageTables(source);
  const clusters = { absent: 0, zeros: 0, plain: 0, packed: 0 };
  for (let index = 0; index < tables.windows; index++) {
    const window = tables.window(index);
    if (window === null) continue;
    for (let cluster = 0; cluster < TABLE_ENTRIES; cluster++) clusters[window(cluster).kind]++;
  }
  const data = (clusters.plain + clusters.packed) * CLUSTER_BYTES;
  const zeros = clusters.zeros * CLUSTER_BYTES;
  if (tables.virtualSizeBytes === virtualSizeBytes && data === dataBytes && zeros === zeroBytes) return;
  throw source.damaged(
    `its tables tell of ${data} bytes of data and ${zeros} of zeros, the manifest of ${dataBytes} and ${zeroBytes}`,
  );
}
