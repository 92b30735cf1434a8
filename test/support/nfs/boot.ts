import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle, type Programs } from '../../../hack/build/bundle.ts';
import { IMAGE_TABLE } from '../../../src/node-agent/repository/mount-command.ts';

/**
 * A Linux kernel with an NFS client and server, as an ordinary process: Debian's user-mode Linux. No root, no KVM, no network
 * of the host's. The guest sees the host's files and can change none (guest-init.sh).
 */
export interface Guest {
  /**
   * Bundled into `/out/programs/<name>.js`; the first is run. Bundled, because reading a hundred files through the guest's view
   * of the host takes longer than the scenarios.
   */
  readonly programs: Programs;
  /** Puts into a directory of the host what the guest shall find in {@link OUT}. */
  readonly furnish: (directory: string) => void;
  /** The guest is switched off the hard way after so long, in milliseconds. */
  readonly limitMs: number;
}

/** The one directory of the guest that the host can read. */
export const OUT = '/out';
const ROOT = join(import.meta.dirname, '../../..');
const MEMORY = '768M';

/**
 * Boots a guest, runs one program in it, and gives what the program wrote into `OUT/<file>`.
 *
 * @throws Error with the guest's console and the program's output, if the program failed or took too long.
 */
export async function runInGuest({ programs, furnish, limitMs }: Guest, file: string): Promise<string> {
  const system = execFileSync(join(ROOT, 'hack/setup/nfs.sh'), ['where'], { encoding: 'utf8' }).trim();
  const out = mkdtempSync(join(tmpdir(), 'tidemark-nfs-'));
  try {
    mkdirSync(join(out, 'uml'));
    furnish(out);
    await bundle(ROOT, join(out, 'programs'), programs);
    const console = await boot(system, out, `${Object.keys(programs)[0]}.js`, limitMs);
    const status = read(out, 'status') || 'none: it was switched off';
    if (status === '0') return read(out, file);
    throw new Error(
      `the NFS guest ended with status ${status}\n--- console\n${console}\n--- program\n${read(out, 'log')}`,
    );
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

async function boot(system: string, out: string, program: string, limitMs: number): Promise<string> {
  const kernel = join(system, 'usr/bin/linux.uml');
  const init = join(import.meta.dirname, 'guest-init.sh');
  const args = [
    ...[`mem=${MEMORY}`, 'rootfstype=hostfs', 'rootflags=/', 'ro', 'quiet', 'selinux=0', `init=${init}`],
    ...['con=null', 'con0=null,fd:1', `uml_dir=${out}/uml`, 'umid=guest'],
    // What the kernel does not know becomes the environment of init. No path may hold a space.
    ...[`SYSTEM=${system}`, `OUT=${out}`, `NODE=${process.execPath}`, `PROGRAM=${OUT}/programs/${program}`],
    `RIG=${import.meta.dirname}`,
    `TABLE="${IMAGE_TABLE}"`,
  ];
  // The guest's memory is a deleted file in TMPDIR, which must allow execution.
  const env = { PATH: process.env['PATH'], HOME: out, TMPDIR: tmpdir() };
  // It must not outlive a test run that is killed. On SIGTERM the kernel ends its helper processes, too.
  const command = ['--pdeathsig', 'TERM', kernel, ...args];
  const child = spawn('setpriv', command, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env });
  let console = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (console += text));
  const off = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), limitMs);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
  } finally {
    clearTimeout(off);
  }
  return console;
}

function read(directory: string, file: string): string {
  try {
    return readFileSync(join(directory, file), 'utf8').trim();
  } catch {
    return '';
  }
}
