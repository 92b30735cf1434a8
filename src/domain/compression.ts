import type { BackupSettings } from '../crds/backup-settings.ts';
import type { BackupJobInput } from './mover-job.ts';

/** zstd's own default, and QEMU's. */
const LEVEL = 3;

/** What the mover is told of compression. Each backup of a chain may have another. */
export function compressionOf({
  compression,
}: Pick<BackupSettings, 'compression'>): Pick<BackupJobInput, 'compression' | 'compressionLevel'> {
  if (compression?.algorithm !== 'Zstd') return { compression: 'none' };
  return { compression: 'zstd', compressionLevel: compression.level ?? LEVEL };
}
