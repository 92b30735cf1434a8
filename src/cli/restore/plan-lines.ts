import type { RestorePlan } from '../../crds/vmrestore.ts';
import { humanSize } from '../../domain/columns.ts';
import type { Painter } from '../screen/style.ts';
import { tableLines } from '../screen/table.ts';

/** What a restore is going to make, claim by claim, and what it leaves out. */
export function planLines({ claims, leftOut }: RestorePlan, paint: Painter): readonly string[] {
  const rows = claims.map(({ volume, claimName, sizeBytes, volumeMode, storageClassName, replaces }) =>
    [
      volume,
      claimName,
      humanSize(sizeBytes),
      volumeMode,
      storageClassName ?? "the cluster's default",
      replaces ?? '-',
    ].map((text) => ({ text })),
  );
  const headings = ['VOLUME', 'CLAIM', 'SIZE', 'MODE', 'STORAGE CLASS', 'REPLACES'];
  const notes = leftOut?.map((text) => paint({ text: `left out: ${text}`, tone: 'warn' })) ?? [];
  return [...tableLines(headings, rows, paint), ...notes];
}
