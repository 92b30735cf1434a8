import { writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MoverFailed, runMover } from '../../../src/node-agent/mover-process/spawn.ts';
import { Workshop } from '../../qemu/mover-rig.ts';
import { backup, inMidCopy, SLOW } from './backup.ts';
import { OUT } from './boot.ts';
import {
  failureOf,
  type Failure,
  left,
  MOVER,
  moverOf,
  never,
  repository,
  server,
  startPulse,
} from './stage.ts';

/** The program of a guest whose server hangs for ten minutes in mid-copy, while the agent goes on as it is shipped. */

export const HANG_MS = 600_000;
/** As the agent's flags have them: `--stall-seconds`, `--answer-seconds`, `--probe-seconds`. */
export const SHIPPED = { copyStallMs: 300_000, answerMs: 60_000, probeEveryMs: 60_000 };
export const HANG = 'hang.json';

/** What a guest saw in which the server hung. */
export interface Hang {
  /** How the copy ended, and how long after the server fell silent. */
  readonly failure: Failure;
  readonly endedAfterMs: number;
  /** The agent's looks at the repository during the silence: the reason and how long each took. */
  readonly probes: readonly Pick<Failure, 'reason' | 'ms'>[];
  readonly longestPauseMs: number;
  readonly moversAtWorst: number;
  /** When the server answered again. */
  readonly again: { readonly alreadyCommitted: boolean };
  readonly earlier: unknown;
  readonly listed: unknown;
  readonly left: ReturnType<typeof left>;
}

async function hang(workshop: Workshop): Promise<Hang> {
  const place = repository();
  const ask = (...args: string[]) => runMover({ mover: MOVER, place, args, stallMs: 60_000 }, never);
  await using source = await workshop.serve(join(OUT, 'plain.raw'), 'raw');
  await backup(place, 'earlier', { source: source.uri });

  const silence = Promise.withResolvers<number>();
  const onFirst = () => {
    inMidCopy(source, 'hang');
    silence.resolve(performance.now());
  };
  const pulse = startPulse();
  const copying = failureOf(() =>
    backup(place, 'hung', { source: source.uri }, { ...SLOW, onFirst, stallMs: SHIPPED.copyStallMs }),
  ).then(async (failure) => ({
    failure,
    endedAfterMs: Math.round(performance.now() - (await silence.promise)),
  }));
  const silentSince = await silence.promise;

  const probes: Pick<Failure, 'reason' | 'ms'>[] = [];
  let moversAtWorst = 0;
  const remaining = () => HANG_MS - (performance.now() - silentSince);
  while (remaining() > 0) {
    const began = performance.now();
    const reason = await moverOf(place, { stallMs: SHIPPED.answerMs })
      .probe(never)
      .then(
        () => 'Answered',
        (error: unknown) => (error instanceof MoverFailed ? error.reason : String(error)),
      );
    probes.push({ reason, ms: Math.round(performance.now() - began) });
    moversAtWorst = Math.max(moversAtWorst, left().processes.length);
    await sleep(Math.min(SHIPPED.probeEveryMs, Math.max(0, remaining())));
  }
  const longestPauseMs = pulse.stop();
  server('answer');

  const copied = await copying;
  const again = await backup(place, 'hung', { source: source.uri }, { attempt: 2 });
  return {
    ...copied,
    probes,
    longestPauseMs,
    moversAtWorst,
    again,
    earlier: await ask('verify', posix.join(place.root, 'c/ns/vm-1/earlier'), '--chain'),
    listed: await ask('list', place.root, '--page', '10'),
    left: await settledLeft(),
  };
}

/** What was stuck ends by itself once the server answers. */
async function settledLeft() {
  for (let tries = 0; tries < 120; tries += 1) {
    const now = left();
    if (now.volumes + now.mounts + now.processes.length === 0) return now;
    await sleep(500);
  }
  return left();
}

if (process.argv[1]?.endsWith('hang.js')) {
  await using workshop = new Workshop();
  server('up');
  writeFileSync(join(OUT, HANG), JSON.stringify(await hang(workshop)));
}
