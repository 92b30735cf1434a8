import type { VMBackupRepositorySpec } from '../../crds/vmbackuprepository.ts';
import { CREDENTIALS_FILE } from './mount-command.ts';

/** The part of a spec that says where a repository is. */
export type Where = Pick<VMBackupRepositorySpec, 'nfs' | 'cifs' | 'cephfs' | 'local'>;

/** What `mount` is told. */
export interface Mount {
  readonly fsType: string;
  readonly source: string;
  readonly options: string;
  readonly needsCredentials: boolean;
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

/**
 * How to mount a repository that is not there already.
 * @throws Error for a spec that the API server would refuse
 */
export function mountOf({ nfs, cifs, cephfs }: Where): Mount {
  if (nfs) return nfsMount(nfs);
  if (cifs) return cifsMount(cifs);
  if (cephfs) return cephMount(cephfs);
  throw new Error('unreachable: the API server takes no repository that is nowhere');
}

function nfsMount({ server, path, version, mountOptions = [] }: NonNullable<Where['nfs']>): Mount {
  const named = new Set(mountOptions.map(optionName));
  const ours = version === '3' ? [...NFS_DEFAULTS, ...NFS_3] : NFS_DEFAULTS;
  const defaults = ours.filter((option) => !named.has(optionName(option)));
  return {
    fsType: 'nfs',
    source: `${bracketed(server)}:${path}`,
    options: [...ALWAYS, `vers=${version}`, ...defaults, ...mountOptions].join(','),
    needsCredentials: false,
  };
}

/** `hard` for the same reason as with NFS; `cache=strict` and `fsync` are what a commit relies on. */
function cifsMount({ server, share, path = '', version, encrypt }: NonNullable<Where['cifs']>): Mount {
  const seal = encrypt ? ['seal'] : [];
  const options = [
    ...ALWAYS,
    `vers=${version}`,
    'hard',
    'cache=strict',
    ...seal,
    `credentials=${CREDENTIALS_FILE}`,
  ];
  const directory = path === '/' ? '' : path;
  return {
    fsType: 'cifs',
    source: `//${server}/${share}${directory}`,
    options: options.join(','),
    needsCredentials: true,
  };
}

function cephMount({ monitors, path, fileSystem, user }: NonNullable<Where['cephfs']>): Mount {
  const chosen = fileSystem === undefined ? [] : [`fs=${fileSystem}`];
  return {
    fsType: 'ceph',
    source: `${monitors.map(bracketed).join(',')}:${path}`,
    options: [...ALWAYS, `name=${user}`, ...chosen, `secretfile=${CREDENTIALS_FILE}`].join(','),
    needsCredentials: true,
  };
}

/** An IPv6 address without a port is written in brackets. */
function bracketed(server: string): string {
  return server.split(':').length > 2 ? `[${server}]` : server;
}

/** `soft` and `hard` are two values of one option. */
function optionName(option: string): string {
  const name = option.split('=', 1)[0]!;
  return name === 'soft' || name === 'softerr' ? 'hard' : name;
}
