import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CommonFlags } from '../kube/flags.ts';

const Seconds = z.coerce.number().positive().max(86_400);
const Count = z.coerce.number().int().positive().max(64);
const ByteCount = z.coerce.number().int().positive();

/** The command line of `tidemark-node-agent`. */
export const Options = CommonFlags.extend({
  'node-name': z.string().min(1).describe('Name of the Kubernetes node that this agent runs on.'),
  'pods-dir': z
    .string()
    .default('/pods')
    .describe("The kubelet's pods directory. A short path: a unix socket path has at most 107 bytes."),
  'mounted-below': z
    .string()
    .optional()
    .describe(
      'Directory in which the repositories are mounted already, by name: then nothing is mounted here.',
    ),
  'max-backups': Count.default(2).describe('Backups at the same time on this node.'),
  'scratch-budget': ByteCount.default(10 * 1024 ** 3).describe('Most bytes of scratch for one backup.'),
  'scratch-share': z.coerce
    .number()
    .min(1)
    .max(100)
    .default(50)
    .describe(
      'The same as a share of what is free for it when there is none, in percent. The lesser counts.',
    ),
  'scratch-reserve': ByteCount.default(512 * 1024 ** 2).describe(
    'Bytes to leave free beside the scratch files.',
  ),
  'bandwidth-limit': ByteCount.optional().describe(
    'Most bytes per second that one backup reads; no limit when left out.',
  ),
  'stall-seconds': Seconds.default(300).describe('A copy that makes no progress for so long is stopped.'),
  'answer-seconds': Seconds.default(60).describe('The same for the short looks into a repository.'),
  'probe-seconds': Seconds.default(60).describe('How often each repository is tried.'),
});
export type Options = z.infer<typeof Options>;

/** How a mover is started: the bundle beside ours, or the source when we run unbuilt. */
export function moverCommand(): readonly string[] {
  const self = import.meta.url;
  const file = self.endsWith('.ts') ? '../mover/main.ts' : './mover.js';
  return [process.execPath, fileURLToPath(new URL(file, self))];
}
