import type { ExecutedDisk } from '../crds/vmbackup.ts';
import type { VolumeResult } from './mover-report.ts';

/** What was done for each disk, with what the mover counted. */
export function withCounts(disks: readonly ExecutedDisk[], volumes: readonly VolumeResult[]): ExecutedDisk[] {
  const counted = new Map(volumes.map((volume) => [volume.name, volume]));
  return disks.map((disk) => {
    const count = counted.get(disk.volume);
    if (count === undefined) return disk;
    return {
      ...disk,
      sizeBytes: count.virtualSizeBytes,
      dataBytes: count.dataBytes,
      zeroBytes: count.zeroBytes,
      storedBytes: count.imageBytes,
    };
  });
}
