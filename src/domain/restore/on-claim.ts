import type { StoredVolume } from './inspection.ts';

/**
 * A volume of a VM, on another claim. One from a DataVolume becomes a claim's: KubeVirt would import it anew. Whether it may be
 * unplugged, and how it is attached, stays.
 */
export function onClaim(
  { name, persistentVolumeClaim, dataVolume }: StoredVolume,
  claimName: string,
): StoredVolume {
  const hotpluggable = dataVolume?.['hotpluggable'];
  return {
    name,
    persistentVolumeClaim: {
      ...persistentVolumeClaim,
      ...(hotpluggable !== undefined && { hotpluggable }),
      claimName,
    },
  };
}
