import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Nfs } from '../../../src/crds/vmbackuprepository.ts';
import { type Mover, moverAt } from '../../../src/node-agent/mover-process/mover.ts';
import { MoverFailed } from '../../../src/node-agent/mover-process/spawn.ts';
import { type Place, placeOf } from '../../../src/node-agent/repository/place.ts';

/** What the scenarios share, inside the guest: the agent's own mounts and movers, the server, and a look at what is left. */

export const SERVER = '10.99.0.1';
/** Packets to it are lost. */
export const BLACK_HOLE = '10.99.0.9';

/** The agent's command, bundled beside this program (boot.ts). */
export const MOVER = [process.execPath, join(import.meta.dirname, 'mover.js')] as const;

export const never = new AbortController().signal;

/** The repository as the agent would mount it for this spec. */
export function repository(nfs: Partial<Nfs> = {}): Extract<Place, { kind: 'ToMount' }> {
  const spec = { nfs: { server: SERVER, path: '/export', version: '4.2' as const, ...nfs } };
  const place = placeOf('nas', spec, {});
  if (place.kind === 'ToMount') return place;
  throw new Error('an NFS export is mounted');
}

/** The agent's own mover for a place. */
export function moverOf(place: Place, limits: { stallMs: number } = { stallMs: 60_000 }): Mover {
  return moverAt(place, MOVER, { copyStallMs: limits.stallMs, answerMs: limits.stallMs });
}

/** What can be done to it: server.sh tells of each. */
export type Deed =
  | 'up'
  | 'stop'
  | 'start'
  | 'slow'
  | 'fast'
  | 'hang'
  | 'answer'
  | 'break-later'
  | 'break'
  | 'mend'
  | 'withdraw'
  | 'restore';

/** Root does it (guest-init.sh): we are the agent, who could not. */
export function server(what: Deed): void {
  const ask = 'echo "$1" >/run/ask && read -r status </run/answer && exit "$status"';
  execFileSync('sh', ['-c', ask, 'sh', what], { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** How a mover failed, and after how many milliseconds. */
export interface Failure {
  readonly reason: string;
  readonly message: string;
  readonly volume: string | null;
  readonly ms: number;
}

/** Waits for a failure. What does not fail, or not as a mover does, is an error of the test. */
export async function failureOf(start: () => Promise<unknown>): Promise<Failure> {
  const began = performance.now();
  const error = await start().then(
    (value) => new Error(`nothing failed: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (!(error instanceof MoverFailed)) throw error;
  const { reason, message, volume } = error;
  return { reason, message, volume, ms: Math.round(performance.now() - began) };
}

/** What one look at the kernel shows of movers and their mounts. */
export interface Left {
  /** NFS file systems that are in use anywhere in the guest, in whatever mount namespace. */
  readonly volumes: number;
  /** NFS mounts that the agent's own mount namespace sees. */
  readonly mounts: number;
  /** Movers, and mounts under way: the state of each process, as `ps` would say it. */
  readonly processes: readonly string[];
}

export function left(): Left {
  const lines = (path: string): string[] => readFileSync(path, 'utf8').trim().split('\n');
  return {
    volumes: lines('/proc/fs/nfsfs/volumes').length - 1,
    mounts: lines('/proc/self/mounts').filter((line) => / nfs4? /.test(line)).length,
    processes: processes(),
  };
}

function processes(): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && name !== String(process.pid),
  )) {
    try {
      const [, name = '', state = ''] = /\((.*)\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      if (/^(node|MainThread|mount.*|unshare)$/.test(name)) found.push(`${state} ${name}`);
    } catch {
      // it has just ended
    }
  }
  return found;
}

/** Looks until it is as it should be, or a few seconds are over. */
export async function settled(enough: (left: Left) => boolean): Promise<Left> {
  for (let tries = 0; ; tries += 1) {
    const now = left();
    if (enough(now) || tries === 100) return now;
    await sleep(50);
  }
}

export function isNothing({ volumes, mounts, processes }: Left): boolean {
  return volumes + mounts + processes.length === 0;
}

/** Measures how long this process, which plays the agent, does nothing else: the longest pause of its event loop. */
export function startPulse(): { readonly stop: () => number } {
  let longest = 0;
  let last = performance.now();
  const beat = () => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  };
  const timer = setInterval(beat, 50);
  return {
    stop: () => {
      beat();
      clearInterval(timer);
      return Math.round(longest);
    },
  };
}
