import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Served, Workshop } from '../../qemu/mover-rig.ts';
import { OUT } from './boot.ts';
import { type Observation, OBSERVATIONS } from './observations.ts';
import { ROUNDS } from './scenarios.ts';
import { isNothing, server, settled } from './stage.ts';

/** The program of the guest: plays every scenario once, and writes down what was seen. */

await using workshop = new Workshop();
const source = await workshop.serve(join(OUT, 'plain.raw'), 'raw');
server('up');
const observations: Record<string, Observation<unknown>> = {};
for (const round of ROUNDS) {
  const played = await Promise.all(Object.entries(round).map(async (entry) => play(...entry)));
  const left = await settled(isNothing);
  for (const [name, seen] of played) {
    observations[name] = { ...seen, left };
    console.log(name, JSON.stringify(observations[name])); // for whoever reads the log of a guest that was cut off
  }
}
writeFileSync(join(OUT, OBSERVATIONS), JSON.stringify(observations));

type Scenario = (workshop: Workshop, source: Served) => Promise<unknown>;
type Seen = Omit<Observation<unknown>, 'left'>;

async function play(name: string, scenario: Scenario): Promise<readonly [name: string, seen: Seen]> {
  const began = performance.now();
  const result = await scenario(workshop, source).then(
    (seen) => ({ seen }),
    (error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
  return [name, { ...result, ms: Math.round(performance.now() - began) }];
}
