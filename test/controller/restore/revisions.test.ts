import { describe, expect, test } from 'vitest';
import { actRestore } from '../../../src/controller/restore/act.ts';
import { rehearse } from '../../../src/controller/restore/rehearse.ts';
import { controllerRevisions } from '../../../src/crds/definitions.ts';
import { virtualMachines } from '../../../src/crds/kubevirt.ts';
import { planRestore } from '../../../src/domain/restore/plan.ts';
import type { RestoreStep, RestoreWorld } from '../../../src/domain/restore/step.ts';
import { Invalid } from '../../../src/kube/errors.ts';
import { repository } from '../../domain/builders.ts';
import { inPlace, newVM, restore, source, withRevisions } from '../../domain/restore/builders.ts';
import { SmallCluster, type Stored } from '../upkeep/small-cluster.ts';

const inspection = withRevisions();
const plan = (() => {
  const asked = { restore: restore(newVM), source, inspection, claims: new Map(), vm: undefined };
  const made = planRestore(asked);
  if ('reason' in made) throw new Error(made.message);
  return made;
})();
const world: RestoreWorld = {
  ...{ restore: restore(newVM, {}, { plan }), backup: undefined, repository: repository(), clusterId: 'c' },
  ...{ jobs: new Map(), inspection, claims: new Map(), vm: undefined, vmi: undefined },
};
const makeVm: RestoreStep = { kind: 'MakeVm', inspection };
const undoing: RestoreStep = { kind: 'Undo', claims: [], startVm: undefined };
const signal = new AbortController().signal;

const contextOf = ({ kube }: SmallCluster) => ({ kube, image: 'i', now: new Date(0) });
const act = (cluster: SmallCluster, step: RestoreStep) => actRestore(world, step, contextOf(cluster), signal);
const revisions = (cluster: SmallCluster) => cluster.list(controllerRevisions);
const ownersOf = ({ metadata }: Stored) => metadata['ownerReferences'];

/** A restore that makes its VM, and whose controller dies at one of its writes, and begins the step again. */
async function madeVm(crash?: SmallCluster['crash']): Promise<SmallCluster> {
  const cluster = new SmallCluster();
  cluster.crash = crash;
  for (const step of [makeVm, { kind: 'Succeed' } as const])
    await act(cluster, step).catch(() => act(cluster, step));
  return cluster;
}

describe('the revisions of a new VM', () => {
  test('are named by it, belong to it, and go when it goes', async () => {
    const cluster = await madeVm();
    const [vm] = cluster.list(virtualMachines);
    const named = revisions(cluster).map(({ metadata }) => metadata.name);
    expect(vm?.spec).toMatchObject({
      instancetype: { revisionName: named[0] },
      preference: { revisionName: named[1] },
    });
    const name = vm?.metadata.name;
    const uid = vm?.metadata['uid'];
    const owner = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name, uid, controller: true };
    for (const revision of revisions(cluster)) expect(ownersOf(revision)).toEqual([owner]);
  });

  test.each(
    [1, 2, 3, 4, 5].flatMap((at) => [
      { at, when: 'before' as const },
      { at, when: 'after' as const },
    ]),
  )('are the same when the controller is killed $when write $at', async (crash) => {
    const undisturbed = await madeVm();
    expect(undisturbed.writes).toBe(5);
    const without = ({ objects }: SmallCluster) =>
      [...objects].map(
        ([
          at,
          {
            metadata: { resourceVersion: _of, ...metadata },
            ...rest
          },
        ]) => [at, { metadata, ...rest }],
      );
    expect(without(await madeVm(crash))).toEqual(without(undisturbed));
  });

  test('go again when the restore is undone before its VM is made', async () => {
    const cluster = new SmallCluster();
    cluster.crash = { at: 3, when: 'before' };
    await expect(act(cluster, makeVm)).rejects.toThrow('killed');
    expect(revisions(cluster)).toHaveLength(2);
    await act(cluster, undoing);
    expect(revisions(cluster)).toEqual([]);
  });

  test('stay with the VM when the restore is undone after that', async () => {
    const cluster = new SmallCluster();
    await act(cluster, makeVm);
    await act(cluster, undoing);
    expect(revisions(cluster).map(ownersOf)).toEqual([expect.anything(), expect.anything()]);
  });

  test('stay with the VM when the VMRestore is deleted long after, whatever the VM stands on by then', async () => {
    const cluster = await madeVm();
    const [vm] = cluster.list(virtualMachines);
    Object.assign(vm?.spec ?? {}, { instancetype: { name: 'larger' } });
    const before = structuredClone(revisions(cluster));
    await act(cluster, { kind: 'Succeed' });
    expect(revisions(cluster)).toEqual(before);
  });
});

describe('a rehearsal', () => {
  const recordPlan: RestoreStep = { kind: 'RecordPlan', plan, isDryRun: true };

  test('asks for the VM while its revisions are there, as KubeVirt looks for them, and leaves none behind', async () => {
    const cluster = new SmallCluster();
    let there: number | undefined;
    cluster.onRehearsal = ({ spec }) => {
      if (JSON.stringify(spec).includes('revisionName')) there = revisions(cluster).length;
    };
    expect(await rehearse(world, recordPlan, contextOf(cluster), signal)).toBe(recordPlan);
    expect(there).toBe(2);
    expect(revisions(cluster)).toEqual([]);
  });

  test('leaves none behind when the VM is refused', async () => {
    const cluster = new SmallCluster();
    cluster.onRehearsal = ({ spec }) => {
      if (JSON.stringify(spec).includes('revisionName')) throw new Invalid('Invalid', 'no such network');
    };
    expect(await rehearse(world, recordPlan, contextOf(cluster), signal)).toEqual({
      kind: 'Fail',
      why: { reason: 'Refused', message: 'no such network' },
    });
    expect(revisions(cluster)).toEqual([]);
  });

  test.each([
    ['is gone', [], 'RevisionMissing'],
    ['is there', ['db-large-v1'], undefined],
  ])('of a restore in place looks whether what the VM stands on %s', async (_, there, reason) => {
    const cluster = new SmallCluster();
    const { virtualMachine } = inspection.definitions;
    const metadata = { name: 'db', namespace: 'shop' };
    const { preference: _none, ...spec } = virtualMachine.spec;
    cluster.put(virtualMachines, { metadata, spec });
    for (const name of there)
      cluster.put(controllerRevisions, { metadata: { name, namespace: 'shop', uid: name } });
    const asked = { ...world, restore: restore(inPlace) };
    const step = await rehearse(asked, recordPlan, contextOf(cluster), signal);
    expect(step).toMatchObject(reason === undefined ? recordPlan : { kind: 'Fail', why: { reason } });
  });
});
