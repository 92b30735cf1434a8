import { posix } from 'node:path';
import { mountOf, type Where } from './mount.ts';
import { MOUNT_POINT } from './mount-command.ts';

/**
 * Where a repository is found on this node, and what must be mounted first.
 * `Mounted`: root is there already. `ToMount`: root appears only inside the mount namespace of a mover.
 */
export type Place =
  | { readonly kind: 'Mounted'; readonly root: string }
  | {
      readonly kind: 'ToMount';
      readonly root: string;
      readonly fsType: string;
      readonly source: string;
      readonly options: string;
      /** Whether it needs credentials, in a file. */
      readonly needsCredentials: boolean;
    };

export interface PlaceOptions {
  /** With `repositoryMount: kubelet`: the directory in which the kubelet has mounted each repository by name. */
  readonly mountedBelow?: string | undefined;
}

/** Decides how to reach a repository. */
export function placeOf(name: string, spec: Where, options: PlaceOptions): Place {
  if (options.mountedBelow !== undefined) {
    return { kind: 'Mounted', root: posix.join(options.mountedBelow, name) };
  }
  if (spec.local) return { kind: 'Mounted', root: spec.local.path };
  return { kind: 'ToMount', root: MOUNT_POINT, ...mountOf(spec) };
}
