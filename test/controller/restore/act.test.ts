import { expect, test } from 'vitest';
import { actRestore } from '../../../src/controller/restore/act.ts';
import type { VirtualMachine } from '../../../src/crds/kubevirt.ts';
import type { PlannedClaim } from '../../../src/crds/vmrestore.ts';
import { undo } from '../../../src/domain/restore/decide.ts';
import type { RestoreWorld } from '../../../src/domain/restore/step.ts';
import type { Kube } from '../../../src/kube/client.ts';
import { NotFound } from '../../../src/kube/errors.ts';
import { repository } from '../../domain/builders.ts';
import {
  existingClaim,
  GiB,
  inPlace,
  PATH,
  restore,
  source,
  UID,
  vm,
} from '../../domain/restore/builders.ts';

interface Named {
  readonly metadata: { readonly name: string };
}

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
const vmi = { metadata: { name: 'db', namespace: 'shop', uid: 'vmi' } };
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

test('a restore keeps its Jobs until its end stands in the status: without them it would write the disks again', async () => {
  const gone: string[] = [];
  const kube = { delete: async (_: unknown, { name }: { name: string }) => gone.push(name) };
  const world: RestoreWorld = {
    ...{ restore: restore(inPlace), backup: undefined, repository: repository(), clusterId: 'c' },
    ...{ inspection: undefined, claims: new Map(), vm: switched, vmi: undefined },
    jobs: new Map([['r-write-root', { kind: 'Succeeded' }]]),
  };
  const context = { kube: kube as unknown as Kube, image: 'i', now: new Date(0) };
  await actRestore(world, { kind: 'Succeed' }, context, new AbortController().signal);
  expect(gone).toEqual([]);
  await actRestore(world, { kind: 'Settled' }, context, new AbortController().signal);
  expect(gone).toEqual(['r-write-root']);
});

test.each([
  ['writes the disks', vm(), 2],
  ['never writes what the VM stands on since an instant ago', switched, 0],
])('a restore %s', async (_, now, jobs) => {
  const made: string[] = [];
  const kube = {
    get: async () => now,
    create: async (_kind: unknown, { metadata }: Named) => made.push(metadata.name),
  };
  const plan = { repository: 'nas', path: PATH, runStrategy: 'Halted' as const, claims };
  const world: RestoreWorld = {
    ...{
      restore: restore(inPlace, {}, { plan }),
      backup: undefined,
      repository: repository(),
      clusterId: 'c',
    },
    ...{ inspection: undefined, jobs: new Map(), claims: new Map(), vm: vm(), vmi: undefined },
  };
  const context = { kube: kube as unknown as Kube, image: 'i', now: new Date(0) };
  await actRestore(world, { kind: 'Write', source, claims }, context, new AbortController().signal);
  expect(made).toHaveLength(jobs);
});

test.each([
  ['turns the disks of a VM that is stopped', undefined, 1],
  ['turns no disks of a VM that was started an instant ago, whose run strategy does not tell', vmi, 0],
])('a restore in place %s', async (_, instance, patches) => {
  let patched = 0;
  const manual = vm({ runStrategy: 'Manual' });
  const kube = {
    get: async ({ plural }: { plural: string }) => {
      if (plural === 'virtualmachines') return manual;
      if (instance === undefined) throw new NotFound('NotFound', 'It does not run.');
      return instance;
    },
    patch: async () => patched++,
  };
  const plan = { repository: 'nas', path: PATH, runStrategy: 'Manual' as const, claims };
  const world: RestoreWorld = {
    ...{
      restore: restore(inPlace, {}, { plan }),
      backup: undefined,
      repository: repository(),
      clusterId: 'c',
    },
    ...{ inspection: undefined, jobs: new Map(), claims: new Map(), vm: manual, vmi: undefined },
  };
  const context = { kube: kube as unknown as Kube, image: 'i', now: new Date(0) };
  await actRestore(world, { kind: 'SwitchDisks', vmName: 'db' }, context, new AbortController().signal);
  expect(patched).toBe(patches);
});
