import { test } from 'vitest';
import { UpkeepStory } from '../support/tidemark/upkeep-story.ts';

/** Some moments out of all; `make soak` goes through many more, chosen at random. */
test('a controller and a Job that are killed while they look after a repository leave it and its objects whole', async () => {
  await using story = await UpkeepStory.begin();
  await story.imports([{ who: 'controller', afterMs: 400 }]);
  await story.removesTheLeft([
    { who: 'pod', afterMs: 250 },
    { who: 'controller', afterMs: 5500 },
  ]);
});
