import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { CommonFlags } from '../kube/flags.ts';

/** The command line of `tidemark-controller`. */
export const Options = CommonFlags.extend({
  identity: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe(
      'Names this replica in the leader election, as no other that runs: the name of the pod. Its own, and random, when left out: then a restarted container waits for its own lease to expire.',
    ),
  image: z
    .string()
    .min(1)
    .max(512)
    .default(`ghcr.io/tidemark/tidemark:${packageJson.version}`)
    .describe('The image of the Jobs: the one that this program came in.'),
});
export type Options = z.infer<typeof Options>;
