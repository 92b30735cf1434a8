import { readVmObjects } from '../../definitions/read.ts';
import { type Definitions, describeVm } from '../../domain/definitions/describe.ts';
import { claimNameOf } from '../../domain/volumes.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { AttemptFailed } from './attempt-failed.ts';

/**
 * Reads what the VM is, and makes sure that it is that which the plan was made for: between plan and begin the VM may have been
 * made anew or got another disk by the same name, with a bitmap in an overlay that was kept. An incremental would then put the
 * changes of one disk upon the data of another.
 *
 * @throws DefinitionMissing when something is gone; AttemptFailed `VMReplaced`, `DiskReplaced`: to be planned anew.
 */
export async function readDefinitions(
  { kube, backup, plan }: Pick<Attempt, 'kube' | 'backup' | 'plan'>,
  { vmi, domain }: Pick<RunningVm, 'vmi' | 'domain'>,
  signal: AbortSignal,
): Promise<Definitions> {
  const planned = plan.disks.flatMap(({ volume, claim }) => (claim ? [{ volume, claim }] : []));
  const ref = { namespace: backup.metadata.namespace, name: backup.spec.vmName };
  const names = planned.map(({ claim }) => claim.name);
  const objects = await readVmObjects(kube, ref, names, signal);
  if (objects.machine.metadata.uid !== plan.vmUid)
    throw new AttemptFailed('VMReplaced', 'The VM was made anew since this attempt was planned.');
  const volumes = new Map(vmi.spec?.volumes?.map((volume) => [volume.name, claimNameOf(volume)]));
  for (const [at, { volume, claim }] of planned.entries()) {
    if (objects.claims[at]?.metadata.uid === claim.uid && volumes.get(volume) === claim.name) continue;
    const message = `Volume '${volume}' has another PersistentVolumeClaim than '${claim.name}' of when this attempt was planned.`;
    throw new AttemptFailed('DiskReplaced', message);
  }
  const { files, ...described } = describeVm(objects);
  return { ...described, files: [{ name: 'domain.xml', content: domain.xml }, ...files] };
}
