import * as fc from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import { type Kill, UpkeepStory } from '../support/tidemark/upkeep-story.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 10);
const SEED = Number(process.env['SEED'] ?? 1);

/** One pod at most: each costs the ten seconds that a Job waits before it makes another. */
const kills: fc.Arbitrary<readonly Kill[]> = fc
  .tuple(
    fc.array(
      fc.record({ who: fc.constant('controller' as const), afterMs: fc.integer({ min: 0, max: 4000 }) }),
      { maxLength: 3 },
    ),
    fc.array(fc.record({ who: fc.constant('pod' as const), afterMs: fc.integer({ min: 0, max: 1200 }) }), {
      maxLength: 1,
    }),
  )
  .map((both) => both.flat());

/** The same seed makes the same rounds. */
const rounds = fc.sample(fc.record({ imports: kills, scrubs: kills, removes: kills }), {
  numRuns: ROUNDS,
  seed: SEED,
});

let story: UpkeepStory;
beforeAll(async () => {
  story = await UpkeepStory.begin();
});
afterAll(() => story[Symbol.asyncDispose]());

test(`${ROUNDS} rounds of import, scrub and removal from seed ${SEED}: all is whole after each`, async () => {
  for (const [index, { imports, scrubs, removes }] of rounds.entries()) {
    process.stdout.write(`round ${index + 1}/${ROUNDS}: ${JSON.stringify({ imports, scrubs, removes })}\n`);
    await story.imports(imports);
    await story.scrubs(scrubs);
    await story.removesTheLeft(removes);
  }
});
