import { z } from 'zod';
import { Compression } from '../crds/compression.ts';
import { Execution, Plan } from '../crds/vmbackup.ts';

/** What the Job of a stopped VM's backup is to do: all it knows, for it has no way to ask. */
export const OfflineOrder = z.object({
  backup: z.object({ name: z.string(), namespace: z.string(), uid: z.string(), vmName: z.string() }),
  plan: Plan,
  definitions: z.object({
    vmUid: z.string(),
    objects: z.record(z.string(), z.unknown()),
    files: z.array(z.object({ name: z.string(), content: z.string() })),
  }),
  /** Where each volume's disk is: a raw file or a device. */
  disks: z.array(z.object({ volume: z.string(), path: z.string(), isDevice: z.boolean() })),
  /** Where KubeVirt keeps the overlays that hold the bitmaps; null if the VM has no such claim. */
  overlays: z.string().nullable(),
  /** Where the repository's root is. */
  repository: z.string(),
  compression: Compression.optional(),
  limitBytesPerSecond: z.int().positive().optional(),
});
export type OfflineOrder = z.infer<typeof OfflineOrder>;

const PREFIX = 'TIDEMARK_ORDER_';
/** Linux takes at most 128 KiB for one variable; a character may be four bytes long. */
const PIECE_CHARACTERS = 30_000;

/** The order as environment variables `TIDEMARK_ORDER_0`, `_1`, … */
export function orderToEnvironment(order: OfflineOrder): Readonly<Record<string, string>> {
  // Kubernetes expands $(NAME) in a value, makes one $ of $$, and spoils $é: a VM's cloud-init may well hold these.
  const text = JSON.stringify(order).replaceAll('$', String.raw`\u0024`);
  // By whole characters: half of one would be lost on its way.
  const pieces = text.match(new RegExp(`[^]{1,${PIECE_CHARACTERS}}`, 'gu')) ?? [];
  return Object.fromEntries(pieces.map((piece, at) => [`${PREFIX}${at}`, piece]));
}

/** @throws SyntaxError, ZodError for what is no order */
export function orderFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): OfflineOrder {
  let text = '';
  for (let at = 0; environment[`${PREFIX}${at}`] !== undefined; at++) text += environment[`${PREFIX}${at}`];
  return OfflineOrder.parse(JSON.parse(text));
}

/** What the Job says in its log: how it stands, as it is to be written to `status.execution`. */
export const OfflineWord = z.object({ event: z.literal('execution'), execution: Execution });
export type OfflineWord = z.infer<typeof OfflineWord>;
