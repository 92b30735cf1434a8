import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { expect } from 'vitest';
import { MiB, type StandInVm } from '../launcher/index.ts';
import type { Fault } from './faults.ts';
import type { Installation } from './installation.ts';
import { eventually } from './kubevirt.ts';
import { checkpointsOf, filesInPod, hasBackupJob, incomingIn } from './leftovers.ts';
import { backUpNow, type Point } from './points.ts';
import { restoresExactly, verifyChain } from './restore.ts';

/** Of a VM whose backups are slow enough to be struck in their middle. */
export const SLOW = { agentFlags: [`--bandwidth-limit=${4 * MiB}`] };

/** What can be seen of a backup from outside, in the order in which it comes. */
export const steps = {
  'it is planned': async (tidemark, _, name) => (await tidemark.backup(name)).status?.plan !== undefined,
  "libvirt's job runs": (_, vm) => hasBackupJob(vm),
  'the copy is under way': async ({ repository }) => (await incomingIn(repository)).length > 1,
  'the data is committed': async ({ repository }, _, name) => (await directoriesOf(repository, name)) > 0,
} satisfies Record<string, (tidemark: Installation, vm: StandInVm, name: string) => Promise<boolean>>;

export type Step = keyof typeof steps;

/** Lets a backup begin, lets the fault strike at that step or right after it, and returns what became of the backup. */
export async function struck(
  tidemark: Installation,
  vm: StandInVm,
  name: string,
  { step, fault }: { readonly step: Step; readonly fault: Fault },
): Promise<Point> {
  const held = new Map<string, Awaited<ReturnType<StandInVm['holds']>>>();
  for (const { volume } of vm.disks) held.set(volume, await vm.holds(volume));
  await backUpNow(tidemark, vm, name);
  await eventually(
    `${name}: ${step}`,
    async () => (await steps[step](tidemark, vm, name)) || undefined,
    60,
    20,
  );
  await fault.strikes(tidemark, vm);
  // What has failed for good is told within its attempts and the waits between them.
  return { backup: await tidemark.ended(name, 240), held };
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
  expect(await directoriesOf(tidemark.repository, metadata.name)).toBe(good ? 1 : 0);
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
      expect(await incomingIn(tidemark.repository)).toEqual([]);
      const bitmap = base?.backup.status?.execution?.bitmapCreated;
      // libvirt forgets even this one when the VM restarts: the next backup defines it anew.
      expect((await checkpointsOf(vm)).filter((checkpoint) => checkpoint !== bitmap)).toEqual([]);
      return true;
    },
    75,
  );
}

/** How many committed directories say that they hold the backup of this name. */
async function directoriesOf(repository: string, name: string): Promise<number> {
  const paths = await readdir(repository, { recursive: true });
  const manifests = paths.filter(
    (path) => path.endsWith('/manifest.json') && !dirname(path).includes('.incoming-'),
  );
  const texts = await Promise.all(
    manifests.map((path) => readFile(join(repository, path), 'utf8').catch(() => '{}')),
  );
  return texts.filter((text) => (JSON.parse(text) as { backup?: { name?: string } }).backup?.name === name)
    .length;
}
