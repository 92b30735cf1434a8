import { posix } from 'node:path';
import { CREDENTIALS_DIRECTORY, CREDENTIALS_FILE, mountOf, type Where } from './mount.ts';

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
      /** Whether it needs credentials, in the file {@link CREDENTIALS_FILE}. */
      readonly needsCredentials: boolean;
    };

export interface PlaceOptions {
  /** Directory at which a mover mounts a repository, in a mount namespace of its own. */
  readonly mountPoint: string;
  /** With `repositoryMount: kubelet`: the directory in which the kubelet has mounted each repository by name. */
  readonly mountedBelow?: string | undefined;
}

/** Decides how to reach a repository. */
export function placeOf(name: string, spec: Where, options: PlaceOptions): Place {
  if (options.mountedBelow !== undefined) {
    return { kind: 'Mounted', root: posix.join(options.mountedBelow, name) };
  }
  if (spec.local) return { kind: 'Mounted', root: spec.local.path };
  return { kind: 'ToMount', root: options.mountPoint, ...mountOf(spec) };
}

/** The line that stands on standard output as soon as the repository is mounted. What fails before it has failed to mount. */
export const MOUNTED = '{"event":"mounted"}';

/**
 * Wraps a command so that it finds the repository at its root. The mount lives in a private mount namespace: it dies with the
 * command, and a dead NFS server can hang nothing but that one process. With a mount of its own, it first says {@link MOUNTED}.
 *
 * Credentials come on standard input, up to an empty line, before anything else that the command reads there. They stand on no
 * command line and in no environment: the shell itself writes them into a file, on a tmpfs that only this mount namespace has, and
 * that is gone again before the command begins.
 */
export function commandAt(place: Place, command: readonly string[]): readonly string[] {
  if (place.kind === 'Mounted') return command;
  const mount = 'mkdir -p "$4" && mount -t "$1" -o "$2" "$3" "$4"';
  const rest = 'printf "%s\\n" "$5" && shift 5 && exec "$@"';
  const script = place.needsCredentials
    ? `${TAKE_CREDENTIALS} && ${mount} && ${DROP_CREDENTIALS} && ${rest}`
    : `${mount} && ${rest}`;
  const args = [script, 'sh', place.fsType, place.options, place.source, place.root, MOUNTED];
  return ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', ...args, ...command];
}

/** `read` of a pipe takes no byte more than its line. */
const TAKE_CREDENTIALS = [
  `mkdir -p ${CREDENTIALS_DIRECTORY}`,
  `mount -t tmpfs -o mode=0700,size=64k,nosuid,nodev,noexec tmpfs ${CREDENTIALS_DIRECTORY}`,
  `(umask 077; while IFS= read -r line && [ -n "$line" ]; do printf "%s\\n" "$line"; done >${CREDENTIALS_FILE})`,
].join(' && ');
const DROP_CREDENTIALS = `rm ${CREDENTIALS_FILE} && umount ${CREDENTIALS_DIRECTORY}`;
