import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { MiB, type StandInVm } from '../launcher/index.ts';
import type { Fault } from './faults.ts';
import type { Installation } from './installation.ts';
import { eventually } from './kubevirt.ts';
import { checkpointsOf, filesInPod, hasBackupJob, incomingIn, socketsOf } from './leftovers.ts';
import { backUpNow, type Point } from './points.ts';
import { restoresExactly, verifyChain } from './restore.ts';

/** Of a VM whose backups are slow enough to be struck in their middle. */
export const SLOW = { agentFlags: [`--bandwidth-limit=${4 * MiB}`] };

/** What can be seen of a backup from outside, in the order in which it comes. */
export const steps = {
  'it is planned': async (tidemark, _, name) => (await tidemark.backup(name)).status?.plan !== undefined,
  // Its socket is there; to ask libvirt so often would keep it busy.
  "libvirt's job runs": async (_, vm) => (await socketsOf(vm)).length > 0,
  'the copy is under way': async ({ repository }, vm) => (await incomingIn(repository, vm.name)).length > 1,
  'the data is committed': async ({ repository }, vm, name) =>
    (await directoriesOf(repository, vm, name)) > 0,
} satisfies Record<string, Look>;

type Look = (tidemark: Installation, vm: StandInVm, name: string) => Promise<boolean>;

export type Step = keyof typeof steps;

/** What has failed for good is told within its attempts and the waits between them. */
const PATIENCE_SECONDS = 600;
/** What a killed agent left is found by the next one's look over its VMs, every minute; another fault may come in between. */
const LEFTOVER_SECONDS = 150;

/** Runs what strikes or needs a part that several VMs share: one such thing at a time. */
export type InTurn = <T>(action: () => Promise<T>) => Promise<T>;

/** Turns in the order in which they are asked for. */
export function turns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (action) => {
    const turn = last.then(action);
    last = turn.catch(() => undefined);
    return turn;
  };
}

/**
 * Lets a backup begin, lets the fault strike at that step or right after it, and returns what became of the backup. A step that
 * was missed, for the faults that strike other VMs meanwhile, is not waited for any longer than the backup takes.
 */
export async function struck(
  tidemark: Installation,
  vm: StandInVm,
  name: string,
  { step, fault }: { readonly step: Step | Look; readonly fault: Fault },
  inTurn: InTurn = (action) => action(),
  spec: object = {},
): Promise<Point> {
  const held = new Map<string, Awaited<ReturnType<StandInVm['holds']>>>();
  for (const { volume } of vm.disks) held.set(volume, await vm.holds(volume));
  await inTurn(() => backUpNow(tidemark, vm, name, spec));
  let isOver = false;
  const ended = tidemark.ended(name, PATIENCE_SECONDS).finally(() => (isOver = true));
  const look = typeof step === 'string' ? steps[step] : step;
  const seen = eventually(
    `the moment to strike ${name}`,
    async () => isOver || (await look(tidemark, vm, name)) || undefined,
    PATIENCE_SECONDS,
    30,
  );
  await Promise.race([seen, ended]);
  const strike = () => fault.strikes(tidemark, vm);
  await (fault.isOfOneVm ? strike() : inTurn(strike));
  return { backup: await ended, held };
}

/**
 * Exactly one good backup or a clear failure; the chain goes on from a point that restores; nothing is left over; the VM runs.
 *
 * @param parent the newest good backup before this one
 */
export async function expectWhole(
  tidemark: Installation,
  vm: StandInVm,
  point: Point,
  parent: Point | undefined,
): Promise<void> {
  const { metadata, status } = point.backup;
  const good = status?.phase === 'Succeeded';
  expect(await directoriesOf(tidemark.repository, vm, metadata.name)).toBe(good ? 1 : 0);
  if (good) {
    expect(await restoresExactly(tidemark, point)).toEqual(
      new Map(vm.disks.map(({ volume }) => [volume, true])),
    );
    await verifyChain(tidemark, point);
  } else {
    expect(status?.execution?.error?.reason ?? status?.phase).toMatch(/^[A-Z][A-Za-z]+$/);
  }
  const base = good ? point : parent;
  await eventually(
    'nothing to be left over',
    async () => {
      expect(await vm.state()).toBe('running');
      expect(await hasBackupJob(vm)).toBe(false);
      expect(await filesInPod(vm)).toEqual([]);
      expect(await incomingIn(tidemark.repository, vm.name)).toEqual([]);
      const bitmap = base?.backup.status?.execution?.bitmapCreated;
      // libvirt forgets even this one when the VM restarts: the next backup defines it anew.
      expect((await checkpointsOf(vm)).filter((checkpoint) => checkpoint !== bitmap)).toEqual([]);
      return true;
    },
    LEFTOVER_SECONDS,
  );
}

/** Which backup a manifest is of, by its path: it never changes once it is there. */
const nameIn = new Map<string, string | undefined>();

/** How many committed directories say that they hold the backup of this name. */
async function directoriesOf(repository: string, vm: StandInVm, name: string): Promise<number> {
  let count = 0;
  for await (const path of glob(`*/*/${vm.name}-*/[0-9]*/manifest.json`, { cwd: repository })) {
    const file = join(repository, path);
    if (!nameIn.has(file)) {
      const manifest = JSON.parse(await readFile(file, 'utf8')) as { backup?: { name?: string } };
      nameIn.set(file, manifest.backup?.name);
    }
    if (nameIn.get(file) === name) count += 1;
  }
  return count;
}
