import type { Place } from './place.ts';

/** In the image, a directory with nothing but its table of mounts; in the mount namespace of a mover, a tmpfs of its own over it. */
export const MOUNT_DIRECTORY = '/mnt/tidemark';
/** Where a mover mounts a repository. */
export const MOUNT_POINT = `${MOUNT_DIRECTORY}/repository`;
/** There only while `mount` is at work. */
export const CREDENTIALS_FILE = `${MOUNT_DIRECTORY}/credentials`;
/** /etc/fstab leads here: `mount` is setuid root, and does for others what stands there with `users`, and nothing else. */
const TABLE = `${MOUNT_DIRECTORY}/fstab`;

/** The table in the image. The uid is the agent's; its group may read, because a helper of `mount` is root, and root without rights over files. */
export const IMAGE_TABLE = `tmpfs ${MOUNT_DIRECTORY} tmpfs noauto,users,nosuid,nodev,noexec,mode=0750,uid=107,gid=0,size=64k 0 0`;

/** The line that stands on standard output as soon as the repository is mounted. What fails before it has failed to mount. */
export const MOUNTED = '{"event":"mounted"}';

/**
 * Wraps a command so that it finds the repository at its root. The mount lives in a private mount namespace: it dies with the
 * command, and a dead NFS server can hang nothing but that one process. With a mount of its own, it first says {@link MOUNTED}.
 *
 * The agent has no capability. Two programs of its image may use the CAP_SYS_ADMIN that its container has: `unshare`, by a file
 * capability, and `mount`, by its setuid bit. The command itself can gain nothing by either.
 *
 * Credentials come on standard input, up to an empty line, before anything else that the command reads there. They stand on no
 * command line and in no environment: the shell itself writes them into a file, on a tmpfs that only this mount namespace has, and
 * that is gone again before the command begins.
 */
export function commandAt(place: Place, command: readonly string[]): readonly string[] {
  if (place.kind === 'Mounted') return command;
  const script = [
    `mount ${MOUNT_DIRECTORY}`,
    ...(place.needsCredentials ? [TAKE_CREDENTIALS] : []),
    `printf "%s\\n" "$1" >${TABLE} && mkdir "$2" && mount "$2"`,
    ...(place.needsCredentials ? [`rm ${CREDENTIALS_FILE}`] : []),
    'printf "%s\\n" "$3" && shift 3 && exec setpriv --no-new-privs -- "$@"',
  ].join(' && ');
  const args = [script, 'sh', tableLine(place), place.root, MOUNTED];
  return ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', ...args, ...command];
}

/** `read` of a pipe takes no byte more than its line. */
const TAKE_CREDENTIALS = `(umask 027; while IFS= read -r line && [ -n "$line" ]; do printf "%s\\n" "$line"; done >${CREDENTIALS_FILE})`;

/** Ours come after `users`, which implies some of them and forbids none. */
function tableLine({ source, root, fsType, options }: Extract<Place, { kind: 'ToMount' }>): string {
  return `${[source, root, fsType, `noauto,users,${options}`].map(inTable).join(' ')} 0 0`;
}

/** As fstab(5) wants it: what would end a field, or begin an escape or a comment, in octal. */
function inTable(field: string): string {
  return field.replaceAll(
    /[\s\\#]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}
