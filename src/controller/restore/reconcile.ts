import { type VMRestore, vmRestores } from '../../crds/vmrestore.ts';
import { decideRestore, undo } from '../../domain/restore/decide.ts';
import { RESTORE_FINALIZER } from '../../domain/restore/names.ts';
import type { RestoreStep, RestoreWorld } from '../../domain/restore/step.ts';
import { conditionOf } from '../../kube/conditions.ts';
import { addFinalizer, removeFinalizer } from '../../kube/finalizers.ts';
import { Again, Done, type Outcome, Waiting } from '../../kube/outcome.ts';
import type { StatusWriter } from '../../kube/status.ts';
import type { Caches } from '../caches.ts';
import { FIELD_MANAGER } from '../names.ts';
import { report, type Tools } from '../report.ts';
import { type ActContext, actRestore } from './act.ts';
import { restoreEvent } from './events.ts';
import { observeRestore } from './observe.ts';
import { refusalOf, rehearse } from './rehearse.ts';
import { restoreStatus } from './status.ts';

const writer: StatusWriter<VMRestore> = {
  fieldManager: FIELD_MANAGER,
  fields: [
    'observedGeneration',
    'conditions',
    'phase',
    'plan',
    'volumes',
    'size',
    'percent',
    'rate',
    'bytesPerSecond',
    'secondsLeft',
    'startedAt',
    'completedAt',
    'failure',
  ],
};

/** How often a restore that is under way is looked at, beside the watches. Milliseconds. */
const LOOK_AGAIN_MS = 2000;
/** Of one that waits: what it waits for is watched, but for the events that tell why a pod does not begin. */
const WAITING_LOOK_AGAIN_MS = 10_000;
const PERSON_LOOK_AGAIN_MS = 60_000;

/** What the restore controller is given besides its caches. */
export interface RestoreOptions {
  readonly clusterId: string;
  /** The image of the Jobs. */
  readonly image: string;
}

/** Brings one VMRestore a step on: looks, decides, acts, and records. */
export async function reconcileRestore(
  caches: Caches,
  { clusterId, image }: RestoreOptions,
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const restore = caches.restores.get(key);
  if (restore === undefined) return Done();
  const isDeleted = restore.metadata.deletionTimestamp !== undefined;
  if (isDeleted && !restore.metadata.finalizers?.includes(RESTORE_FINALIZER)) return Done();
  const { kube } = tools;
  const now = new Date(tools.clock.now());
  const world = await observeRestore(caches, kube, clusterId, restore, signal);
  const context = { kube, image, now };
  if (isDeleted) {
    await actRestore(world, leave(world), context, signal);
    await removeFinalizer(kube, vmRestores, restore, RESTORE_FINALIZER, signal);
    return Done();
  }
  const decided = decideRestore(world);
  // Before the first effect that would stay behind.
  if (decided.kind === 'RecordPlan') await addFinalizer(kube, vmRestores, restore, RESTORE_FINALIZER, signal);
  const step = await rehearse(world, decided, context, signal);
  const done = await attempt(world, step, context, signal);
  const isNews = await record(caches, tools, world, done, signal);
  return outcomeOf(done, isNews);
}

/** Acts. What the API server refuses, a person must look at; what is transient is thrown, and tried again. */
async function attempt(
  world: RestoreWorld,
  step: RestoreStep,
  context: ActContext,
  signal: AbortSignal,
): Promise<RestoreStep> {
  try {
    await actRestore(world, step, context, signal);
    return step;
  } catch (error) {
    const why = refusalOf(error);
    if (why === undefined) throw error;
    return { kind: 'Wait', why, needsPerson: true };
  }
}

/** A deleted restore takes back what it began, unless it is over. */
function leave(world: RestoreWorld): RestoreStep {
  return world.restore.status?.completedAt === undefined ? undo(world) : { kind: 'Settled' };
}

async function record(
  caches: Caches,
  tools: Tools,
  world: RestoreWorld,
  step: RestoreStep,
  signal: AbortSignal,
): Promise<boolean> {
  if (step.kind === 'Settled') return false;
  const { restore } = world;
  const status = restoreStatus(world, step, new Date(tools.clock.now()));
  const said = status.conditions?.[0];
  const before = restore.status?.conditions ?? [];
  const isTold = said === undefined || conditionOf(before, said.type)?.reason === said.reason;
  const events = said === undefined || isTold ? [] : [restoreEvent(step, said)];
  // The finalizer may just have been written: the object in the cache is older, and the write retries on conflict.
  return await report(tools, caches.restores, restore, { status, events }, writer, signal);
}

function outcomeOf(step: RestoreStep, isNews: boolean): Outcome {
  switch (step.kind) {
    case 'Settled':
    case 'Succeed':
    case 'Undo':
      return Done();
    case 'Wait':
      return Waiting(
        step.why.reason,
        step.why.message,
        step.needsPerson ? PERSON_LOOK_AGAIN_MS : WAITING_LOOK_AGAIN_MS,
      );
    case 'RecordPlan':
    case 'Fail':
      // The write itself brings the key back.
      return isNews ? Done() : Again(LOOK_AGAIN_MS);
    case 'Check':
    case 'CheckAgain':
    case 'Verify':
    case 'ForgetChanges':
    case 'ForgetAgain':
    case 'StopVm':
    case 'MakeClaims':
    case 'Write':
    case 'Writing':
    case 'MakeVm':
    case 'SwitchDisks':
    case 'StartVm':
      return Again(LOOK_AGAIN_MS);
  }
}
