import { expect, test } from 'vitest';
import { actRestore } from '../../../src/controller/restore/act.ts';
import type { VirtualMachine } from '../../../src/crds/kubevirt.ts';
import type { PlannedClaim } from '../../../src/crds/vmrestore.ts';
import { undo } from '../../../src/domain/restore/decide.ts';
import type { RestoreWorld } from '../../../src/domain/restore/step.ts';
import type { Kube } from '../../../src/kube/client.ts';
import { NotFound } from '../../../src/kube/errors.ts';
import { repository } from '../../domain/builders.ts';
import { existingClaim, GiB, inPlace, PATH, restore, UID, vm } from '../../domain/restore/builders.ts';

function planned(volume: string): PlannedClaim {
  return {
    volume,
    claimName: `db-${volume}-new`,
    sizeBytes: GiB,
    requestBytes: GiB,
    volumeMode: 'Filesystem',
    accessModes: ['ReadWriteOnce'],
  };
}
const claims = [planned('root'), planned('data')];
const switched = vm({
  template: {
    spec: {
      volumes: claims.map(({ volume: name, claimName }) => ({ name, persistentVolumeClaim: { claimName } })),
    },
  },
});

/** What the undoing of a restore removes, if the cache still has the VM as it was before. */
async function removed(now: VirtualMachine | undefined): Promise<readonly string[]> {
  const gone: string[] = [];
  const kube = {
    get: async () => {
      if (now === undefined) throw new NotFound('NotFound', 'The VM is not there.');
      return now;
    },
    delete: async (_: unknown, { name }: { name: string }) => gone.push(name),
    patch: async () => undefined,
  } as unknown as Kube;
  const plan = { repository: 'nas', path: PATH, runStrategy: 'Halted' as const, claims };
  const world: RestoreWorld = {
    restore: restore(inPlace, {}, { plan: { ...plan, vmUid: 'vm' } }),
    ...{
      backup: undefined,
      repository: repository(),
      clusterId: 'c',
      jobs: new Map(),
      inspection: undefined,
    },
    claims: new Map(claims.map(({ claimName }) => [claimName, existingClaim(claimName, UID)])),
    ...{ vm: vm(), vmi: undefined },
  };
  await actRestore(world, undo(world), { kube, image: 'i', now: new Date(0) }, new AbortController().signal);
  return gone;
}

test('a restore that is undone removes the claims that it made', async () => {
  expect(await removed(vm())).toEqual(['db-root-new', 'db-data-new']);
  expect(await removed(undefined)).toEqual(['db-root-new', 'db-data-new']);
});

test('a restore that is undone never removes what the VM stands on since an instant ago', async () => {
  expect(await removed(switched)).toEqual([]);
});
