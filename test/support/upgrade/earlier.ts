import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

/** What an installation of an earlier commit left: CRDs, objects, and a repository with a chain of two. Its README says how it was made. */
export const EARLIER = join(import.meta.dirname, '../../fixtures/1d2fd12');

const Objects = z.object({
  items: z.array(
    z.looseObject({
      kind: z.string(),
      metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
      spec: z.looseObject({}),
      status: z.looseObject({}).optional(),
    }),
  ),
});

export const earlierObjects = Objects.parse(parse(readFileSync(join(EARLIER, 'objects.yaml'), 'utf8'))).items;
