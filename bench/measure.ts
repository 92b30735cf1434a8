import { spawn } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What one run of one program took. */
export interface Measured {
  readonly seconds: number;
  /** Of the program itself, user and system together; in hundredths, as the kernel counts. */
  readonly cpuSeconds: number;
  /** Of the NBD server meanwhile: how a client asks decides what the answer costs. */
  readonly serverCpuSeconds: number;
  readonly peakRssBytes: number;
  /** Room the result takes on its file system. */
  readonly storedBytes: number;
}

/** The kernel's unit of CPU time in /proc (USER_HZ), the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Runs a program to its end. `server`: whose CPU time counts beside it. @throws if it fails, with what it said */
export async function measure(
  [command, ...args]: readonly [string, ...string[]],
  output: string,
  server: number | null,
): Promise<Measured> {
  const before = {
    children: cpuTicks('self', 'children'),
    server: server === null ? 0 : cpuTicks(server, 'own'),
  };
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
  let isRunning = true;
  const watching = highWater(child.pid ?? 0, () => isRunning);
  const code = await ended;
  const seconds = (performance.now() - startedAt) / 1000;
  isRunning = false;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${said}`);
  return {
    seconds,
    cpuSeconds: (cpuTicks('self', 'children') - before.children) / TICKS_PER_SECOND,
    serverCpuSeconds: server === null ? 0 : (cpuTicks(server, 'own') - before.server) / TICKS_PER_SECOND,
    peakRssBytes: await watching,
    storedBytes: storedBytes(output),
  };
}

/** /proc/<pid>/stat, fields 14 to 17: own user and system time, then those of children that were waited for. */
function cpuTicks(pid: number | 'self', whose: 'own' | 'children'): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').map(Number);
  return whose === 'own' ? fields[11]! + fields[12]! : fields[13]! + fields[14]!;
}

/** The peak as the kernel keeps it, looked up until the process is gone. */
async function highWater(pid: number, isRunning: () => boolean): Promise<number> {
  let kibibytes = 0;
  while (isRunning()) {
    try {
      const found = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
      kibibytes = Math.max(kibibytes, Number(found?.[1] ?? 0));
    } catch {
      break;
    }
    await sleep(5);
  }
  return kibibytes * 1024;
}

/** Room taken by a file, or by all files of a directory. */
function storedBytes(path: string): number {
  const found = lstatSync(path);
  if (!found.isDirectory()) return found.blocks * 512;
  return readdirSync(path).reduce((sum, name) => sum + storedBytes(join(path, name)), 0);
}
