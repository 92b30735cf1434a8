import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MiB, run, type StandInVm } from '../launcher/index.ts';
import { cpio, entriesBelow } from './cpio.ts';

const SET_UP = join(import.meta.dirname, '../../../hack/setup/linux-guest.sh');
const INIT = join(import.meta.dirname, 'init.sh');

/** What a stand-in VM boots as Linux, and the file system on its first disk. */
export interface LinuxGuest {
  /** For {@link StandInVmOptions.boot}: holds `vmlinuz` and `initrd`. */
  readonly boot: string;
  /** A raw image with an empty ext4. */
  readonly disk: string;
  readonly diskBytes: number;
}

/** Puts together a Linux guest in a directory. Debian's kernel, busybox and qemu-guest-agent must be in the cache: `make setup`. */
export async function linuxGuest(directory: string): Promise<LinuxGuest> {
  const system = execFileSync(SET_UP, ['where'], { encoding: 'utf8' }).trim();
  const boot = join(directory, 'boot');
  const disk = join(directory, 'ext4.raw');
  const diskBytes = 64 * MiB;
  await mkdir(boot, { recursive: true });
  const init = { path: 'init', mode: 0o100755, data: await readFile(INIT) };
  await writeFile(join(boot, 'vmlinuz'), await readFile(join(system, 'vmlinuz')));
  await writeFile(join(boot, 'initrd'), cpio([...(await entriesBelow(join(system, 'root'))), init]));
  await run(['mke2fs', '-q', '-t', 'ext4', disk, String(diskBytes / 1024)]);
  await chmod(boot, 0o755);
  return { boot, disk, diskBytes };
}

/** What the guest has printed since it booted. */
export async function consoleOf(vm: StandInVm): Promise<string> {
  return readFile(join(vm.launcher.emptyDir('private'), 'console.log'), 'utf8');
}

/** The highest number of a file that the guest has on its disk for good; 0 before the first. */
export async function lastFsynced(vm: StandInVm): Promise<number> {
  const numbers = [...(await consoleOf(vm)).matchAll(/^guest: (\d+)\r?$/gm)].map(([, number]) =>
    Number(number),
  );
  return Math.max(0, ...numbers);
}

/** Sends a command to the guest agent, past KubeVirt; gives its answer. */
export async function askAgent(vm: StandInVm, execute: string, args: object = {}): Promise<unknown> {
  const command = JSON.stringify({ execute, arguments: args });
  const answer: unknown = JSON.parse(
    await vm.virsh('qemu-agent-command', '--timeout', '5', vm.domain, command),
  );
  return typeof answer === 'object' && answer !== null && 'return' in answer ? answer.return : undefined;
}

/** What e2fsck says of an image without touching it, and whether its journal holds something to be replayed. */
export async function examine(
  image: string,
): Promise<{ clean: boolean; needsRecovery: boolean; said: string }> {
  const { stdout } = await run(['dumpe2fs', '-h', image]);
  const needsRecovery = /needs_recovery/.test(stdout);
  try {
    const { stdout: said } = await run(['e2fsck', '-f', '-n', image]);
    return { clean: true, needsRecovery, said };
  } catch (error) {
    return { clean: false, needsRecovery, said: String(error) };
  }
}

/** Which of the files 1…last an ext4 image lacks, or holds with other bytes. */
export async function missingFiles(image: string, into: string, last: number): Promise<readonly number[]> {
  await mkdir(into, { recursive: true });
  await run(['debugfs', '-R', `rdump / ${into}`, image]);
  const missing: number[] = [];
  for (let number = 1; number <= last; number++) {
    const wanted = Buffer.alloc(8 * 4096, `${number}\n`);
    const found = await readFile(join(into, `file-${number}`)).catch(() => undefined);
    if (found === undefined || !found.equals(wanted)) missing.push(number);
  }
  return missing;
}
