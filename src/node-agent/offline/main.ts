#!/usr/bin/env node
/** `tidemark-offline-backup`: backs up the disks of a VM that does not run, in a Job. Its order comes in the environment. */
import process from 'node:process';
import type { Execution } from '../../crds/vmbackup.ts';
import { type OfflineWord, orderFromEnvironment } from '../../domain/offline-order.ts';
import { AttemptFailed } from '../job/attempt-failed.ts';
import { moverAt } from '../mover-process/mover.ts';
import { MoverFailed } from '../mover-process/spawn.ts';
import { moverCommand } from '../options.ts';
import { backUpOffline } from './back-up.ts';

/** A line for the controller at most every so many milliseconds. */
const TELL_EVERY_MS = 1000;
const LIMITS = { copyStallMs: 300_000, answerMs: 60_000 };

const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const)
  process.on(name, () => stop.abort(new AttemptFailed('VMStarted', 'The Job was told to give way.')));

const order = orderFromEnvironment(process.env);
const now = (): Date => new Date();
const begun: Execution = {
  attempt: order.plan.attempt,
  agent: order.plan.job ?? '',
  startedAt: now().toISOString(),
};
let toldAt = 0;
const say = (execution: Execution): void => {
  const word: OfflineWord = { event: 'execution', execution };
  process.stdout.write(`${JSON.stringify(word)}\n`);
};
const tell = (execution: Execution): void => {
  if (Date.now() - toldAt < TELL_EVERY_MS) return;
  toldAt = Date.now();
  say(execution);
};
const place = { kind: 'Mounted', root: order.repository } as const;
const mover = moverAt(place, moverCommand(), LIMITS);
try {
  const scratch = process.env['HOME'] ?? '/tmp';
  say(await backUpOffline(order, begun, { mover, scratch, now, tell }, stop.signal));
} catch (error) {
  const isKnown = error instanceof AttemptFailed || error instanceof MoverFailed;
  const message = (error instanceof Error ? error.message : String(error)).slice(0, 1000);
  const reason = isKnown ? error.reason : 'Internal';
  say({ ...begun, completedAt: now().toISOString(), error: { reason, message, final: false } });
  process.exitCode = 1;
}
