import { cp, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type CommandOutput, run } from '../launcher/command.ts';
import type { Instruction } from './containerfile.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Its mounts go with it. */
const SCRIPT = `
set -e
root=$1 access=$2 shared=$3 directory=$4
shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
[ "$shared" = - ] || mount --bind "$shared" "$root/mnt"
[ "$access" = rw ] || mount -o remount,bind,ro "$root"
exec chroot "$root" env -i PATH=${PATH} HOME=/tmp DEBIAN_FRONTEND=noninteractive sh -c 'cd "$1"; shift; exec "$@"' sh "$directory" "$@"
`;

/** An image's file system in a directory, and a way to run something in it. */
export class Chroot {
  readonly root: string;
  /** As WORKDIR says. */
  directory = '/';
  /** As USER says. */
  user = '0:0';

  constructor(root: string) {
    this.root = root;
  }

  /** What an engine does with the instructions of the last stage, but for the network's isolation and the layers. */
  async build(instructions: readonly Instruction[], context: string): Promise<void> {
    await cp('/etc/resolv.conf', join(this.root, 'etc/resolv.conf'));
    const variables: string[] = [];
    for (const { name, words } of instructions) {
      if (name === 'ARG') variables.push(words);
      if (name === 'RUN') await this.#enter('rw', '-', ['env', ...variables, 'sh', '-c', words]);
      if (name === 'COPY') await this.#copy(words.split(/\s+/), context);
      if (name === 'WORKDIR') {
        this.directory = words;
        await mkdir(join(this.root, words), { recursive: true });
      }
      if (name === 'USER') this.user = words;
    }
  }

  /** Runs a program as a pod of ours does: read-only root, the image's user, no capability. `shared` is seen at /mnt. */
  async run(argv: readonly string[], shared = '-'): Promise<CommandOutput> {
    return await this.#runAs(['--bounding-set=-all', '--no-new-privs'], argv, shared);
  }

  /** Runs a program as the node agent's pod does, where the agent mounts: it may gain these capabilities. */
  async runAsAgent(argv: readonly string[], capabilities = '+sys_admin'): Promise<CommandOutput> {
    return await this.#runAs([`--bounding-set=-all,${capabilities}`], argv, '-');
  }

  #runAs(confined: readonly string[], argv: readonly string[], shared: string): Promise<CommandOutput> {
    const [uid = '', gid = ''] = this.user.split(':');
    const as = [
      'setpriv',
      '--reuid',
      uid,
      '--regid',
      gid,
      '--inh-caps=-all',
      '--clear-groups',
      ...confined,
      '--',
    ];
    return this.#enter('ro', shared, [...as, ...argv]);
  }

  #enter(access: 'ro' | 'rw', shared: string, argv: readonly string[]): Promise<CommandOutput> {
    const alone = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child'];
    const given = [this.root, access, shared, this.directory, ...argv];
    return run(['unshare', ...alone, '--', 'sh', '-c', SCRIPT, 'sh', ...given]);
  }

  async #copy(words: readonly string[], context: string): Promise<void> {
    const to = words.at(-1) ?? '';
    const target = (name: string): string =>
      join(this.root, resolve(this.directory, to.endsWith('/') ? `${to}${name}` : to));
    // What another image gives is the Node that the tests run on: of the same line, for the same libc.
    if (words[0] === '--from=node') return await cp(process.execPath, target('node'));
    for (const from of words.slice(0, -1)) {
      await cp(join(context, from), target(from), { recursive: true });
    }
  }
}
