import { posix } from 'node:path';
import type { VMBackupRepositorySpec } from '../../crds/vmbackuprepository.ts';

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
    };

export interface PlaceOptions {
  /** Directory at which a mover mounts a repository, in a mount namespace of its own. */
  readonly mountPoint: string;
  /** With `repositoryMount: kubelet`: the directory in which the kubelet has mounted each repository by name. */
  readonly mountedBelow?: string | undefined;
}

/** Never left out: a backup share is no place to run programs or find devices from. */
const ALWAYS = ['nosuid', 'nodev', 'noexec'];
/**
 * `retry=0`: mount says no at once instead of trying for two minutes. `hard` with our own stall limit: a soft mount would
 * turn a slow server into lost writes; a mover that hangs is killed, and the mount namespace goes with it.
 */
const NFS_DEFAULTS = ['hard', 'timeo=50', 'retrans=2', 'retry=0'];

/** NFS 3 has its locks in another service, rpc.statd, which no container runs. We need none: only the mover writes, each its own files. */
const NFS_3 = ['nolock'];

/** Decides how to reach a repository. */
export function placeOf(
  name: string,
  spec: Pick<VMBackupRepositorySpec, 'nfs' | 'local'>,
  options: PlaceOptions,
): Place {
  if (options.mountedBelow !== undefined) {
    return { kind: 'Mounted', root: posix.join(options.mountedBelow, name) };
  }
  if (spec.local) return { kind: 'Mounted', root: spec.local.path };
  const { server, path, version, mountOptions } = spec.nfs!;
  const host = server.includes(':') ? `[${server}]` : server;
  const chosen = mountOptions ?? [];
  const named = new Set(chosen.map(optionName));
  const ours = version === '3' ? [...NFS_DEFAULTS, ...NFS_3] : NFS_DEFAULTS;
  const defaults = ours.filter((option) => !named.has(optionName(option)));
  return {
    kind: 'ToMount',
    root: options.mountPoint,
    fsType: 'nfs',
    source: `${host}:${path}`,
    options: [...ALWAYS, `vers=${version}`, ...defaults, ...chosen].join(','),
  };
}

/** `soft` and `hard` are two values of one option. */
function optionName(option: string): string {
  const name = option.split('=', 1)[0]!;
  return name === 'soft' || name === 'softerr' ? 'hard' : name;
}

/** The line that stands on standard output as soon as the repository is mounted. What fails before it has failed to mount. */
export const MOUNTED = '{"event":"mounted"}';

/**
 * Wraps a command so that it finds the repository at its root. The mount lives in a private mount namespace: it dies with the
 * command, and a dead NFS server can hang nothing but that one process. With a mount of its own, it first says {@link MOUNTED}.
 */
export function commandAt(place: Place, command: readonly string[]): readonly string[] {
  if (place.kind === 'Mounted') return command;
  const script =
    'mkdir -p "$4" && mount -t "$1" -o "$2" "$3" "$4" && printf "%s\\n" "$5" && shift 5 && exec "$@"';
  const mount = [script, 'sh', place.fsType, place.options, place.source, place.root, MOUNTED];
  return ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', ...mount, ...command];
}
