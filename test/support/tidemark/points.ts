import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import type { Content, StandInVm } from '../launcher/index.ts';
import { NAMESPACE, type Installation } from './installation.ts';
import { eventually } from './kubevirt.ts';

/** One backup, and what each disk held at the instant that it stands for. */
export interface Point {
  readonly backup: VMBackup;
  readonly held: ReadonlyMap<string, Content>;
}

/**
 * Lets a backup begin while the guest keeps still, notes what its disks hold, and lets the guest write on as soon as the
 * backup has its point in time: it goes on writing while the copy runs.
 *
 * @param trigger makes the backup begin; resolves to its name
 */
export async function takePoint(
  tidemark: Installation,
  vm: StandInVm,
  trigger: () => Promise<string>,
): Promise<Point> {
  const held = new Map<string, Content>();
  const name = await vm.whileQuiet(async () => {
    for (const { volume } of vm.disks) held.set(volume, await vm.holds(volume));
    const began = await trigger();
    await eventually(`the point in time of ${began}`, async () => {
      const { execution, phase } = (await tidemark.backup(began)).status ?? {};
      return execution?.pointInTime ?? (phase === 'Failed' ? 'failed' : undefined);
    });
    return began;
  });
  return { backup: await tidemark.ended(name), held };
}

/** A `VMBackup` made by hand, as a user would with kubectl. */
export async function backUpNow(
  tidemark: Installation,
  vm: Pick<StandInVm, 'name'>,
  name: string,
  spec: object = {},
): Promise<string> {
  await tidemark.apply({
    apiVersion: 'backup.tidemark.dev/v1alpha1',
    kind: 'VMBackup',
    metadata: { name, namespace: NAMESPACE },
    spec: { vmName: vm.name, repository: 'nas', ...spec },
  });
  return name;
}
