import { z } from 'zod';
import { listMap, Message, Time } from './api.ts';

/** A Kubernetes condition, by the rules of kstatus: Ready always; Reconciling and Stalled only while True. */
export const Condition = z.object({
  type: z
    .string()
    .max(64)
    .describe('Ready, Reconciling, Stalled, or one of the kind itself, such as LowSpace.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
  reason: z.string().min(1).max(64).describe('Why, in one PascalCase word.'),
  message: Message.describe('Why, in a sentence that says what to do.'),
  lastTransitionTime: Time.describe('When `status` last changed.'),
  observedGeneration: z.int().optional().describe('The generation of the object that this speaks of.'),
});
export type Condition = z.infer<typeof Condition>;

/** The conditions of an object, one for each type. */
export const Conditions = z
  .array(Condition)
  .max(8)
  .meta(listMap('type'))
  .describe('Ready is always there; Reconciling and Stalled only while they are True.');
