import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes, on the host, what the guest backs up: `disk-<n>.qcow2` before (0) and after (1) some changes, with a bitmap
 * `cp0` that notes them; `truth.raw`, what the disk holds after them; and `plain.raw`, 16 MiB of no pattern.
 */
export function makeDisks(directory: string): void {
  const at = (name: string) => join(directory, name);
  const tool = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: 'pipe' });
  const change = (disk: string, ...commands: string[]) =>
    tool('qemu-io', '-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), at(disk));
  tool('qemu-img', 'create', '-q', '-f', 'qcow2', at('disk-0.qcow2'), '64M');
  change('disk-0.qcow2', 'write -q -P 0x41 0 4M', 'write -q -P 0x42 20M 1M', 'write -q -P 0x43 40M 300k');
  cpSync(at('disk-0.qcow2'), at('disk-1.qcow2'));
  tool('qemu-img', 'bitmap', '--add', '-g', '65536', at('disk-1.qcow2'), 'cp0');
  change(
    'disk-1.qcow2',
    ...['write -q -P 0x51 1M 128k', 'write -q -z 0 512k', 'discard -q 20M 1M', 'write -q -P 7 5000k 3k'],
  );
  tool('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', at('disk-1.qcow2'), at('truth.raw'));
  tool('sh', '-c', 'head -c 16M /dev/urandom > "$1"', 'sh', at('plain.raw'));
}
