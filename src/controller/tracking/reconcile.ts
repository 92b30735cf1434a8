import { virtualMachines } from '../../crds/kubevirt.ts';
import { missesWrites, UNTRACKED_AT_ANNOTATION } from '../../domain/untracked.ts';
import type { JsonPatch } from '../../kube/client.ts';
import { NotFound } from '../../kube/errors.ts';
import { keyOf, refOf } from '../../kube/kind.ts';
import { Done, type Outcome } from '../../kube/outcome.ts';
import { type Source, watching } from '../../kube/source.ts';
import type { Caches } from '../caches.ts';
import type { Tools } from '../report.ts';

/** A VM, whose instance has its name; a backup that ends may have left the first bitmap. */
export function trackingSources(caches: Caches): readonly Source[] {
  return [
    watching(caches.vms),
    watching(caches.vmis),
    watching(caches.backups, ({ old, new: now }) => {
      const backup = now ?? old;
      if (backup === undefined) return [];
      return [keyOf({ namespace: backup.metadata.namespace, name: backup.spec.vmName })];
    }),
  ];
}

/** Marks a VM that runs without change tracking: bitmaps of before tell nothing of what it writes now, whenever they are seen again. */
export async function reconcileTracking(
  caches: Caches,
  { kube, clock }: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const ref = refOf(key);
  const vm = caches.vms.get(ref);
  if (vm === undefined || !missesWrites(vm, caches.vmis.get(ref), caches.views.backupsOfVm(key)))
    return Done();
  const { annotations, uid } = vm.metadata;
  const at = new Date(clock.now()).toISOString();
  const path = '/metadata/annotations';
  const name = UNTRACKED_AT_ANNOTATION.replace('/', '~1');
  const mark: readonly JsonPatch[] =
    Object.keys(annotations ?? {}).length > 0
      ? [{ op: 'add', path: `${path}/${name}`, value: at }]
      : [
          { op: 'test', path, value: null },
          { op: 'add', path, value: { [UNTRACKED_AT_ANNOTATION]: at } },
        ];
  const sameVm: JsonPatch = { op: 'test', path: '/metadata/uid', value: uid };
  try {
    await kube.patch(virtualMachines, ref, [sameVm, ...mark], signal);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
  return Done();
}
