import { z } from 'zod';
import { cel } from './api.ts';

/** How what is stored is made smaller. */
export const Compression = z
  .object({
    algorithm: z
      .enum(['None', 'Zstd'])
      .describe(
        'Zstd: each cluster by itself, so that QEMU from 5.1 on reads the image. None: stored as it is.',
      ),
    level: z
      .int()
      .min(1)
      .max(19)
      .optional()
      .describe(
        'For Zstd: 1 is quick, 19 is small; 3 when left out. Each level costs more of the processor.',
      ),
  })
  .meta(
    cel({
      rule: "!has(self.level) || self.algorithm == 'Zstd'",
      message: 'compression.level belongs to algorithm Zstd',
    }),
  );
