import { parseArgs } from 'node:util';
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };

/** The command line of `tidemark-controller`. */
export const Options = z.object({
  kubeconfig: z.string().optional().describe('A kubeconfig; the service account of the pod when left out.'),
  namespace: z
    .string()
    .min(1)
    .max(63)
    .default('tidemark-system')
    .describe('Namespace of Tidemark itself, where the node agents keep their Leases.'),
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
    .describe('The image of the Jobs that restore: the one that this program came in.'),
  'health-port': z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8081)
    .describe('Port of /healthz and /readyz; 0 = any.'),
  'log-level': z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('What is logged.'),
});
export type Options = z.infer<typeof Options>;

/**
 * Parses the command line.
 * @throws ZodError or TypeError for flags that are wrong or missing
 */
export function parseOptions(args: readonly string[]): Options {
  const options = Object.fromEntries(
    Object.keys(Options.shape).map((name) => [name, { type: 'string' as const }]),
  );
  return Options.parse(parseArgs({ args: [...args], options, strict: true }).values);
}
