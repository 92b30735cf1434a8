import { array, assert, boolean, constantFrom, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PersistentVolumeClaim } from '../../../src/crds/core.ts';
import type { VirtualMachine } from '../../../src/crds/kubevirt.ts';
import type { VMRestore } from '../../../src/crds/vmrestore.ts';
import type { JobStanding } from '../../../src/domain/job/job-standing.ts';
import { decideRestore } from '../../../src/domain/restore/decide.ts';
import type { RestoreStep, RestoreWorld } from '../../../src/domain/restore/step.ts';
import {
  checkJobName,
  forgetJobName,
  verifyJobName,
  writeJobName,
} from '../../../src/domain/restore/names.ts';
import { newVm } from '../../../src/domain/restore/new-vm.ts';
import { isSwitched, switchDisks } from '../../../src/domain/restore/switch-disks.ts';
import { repository } from '../builders.ts';
import {
  claimsOnly,
  existingClaim,
  inPlace,
  inspection,
  newVM,
  restore,
  stateClaim,
  UID,
  vm,
} from './builders.ts';

const vmi = { metadata: { name: 'db', namespace: 'shop', uid: 'vmi' } };

/** A cluster as far as a restore sees it: each step is carried out as the controller does, and Jobs come to their end. */
class Cluster {
  restore: VMRestore;
  jobs = new Map<string, JobStanding>();
  claims = new Map<string, PersistentVolumeClaim>();
  vm: VirtualMachine | undefined;
  isRunning: boolean;
  isLogLost = false;
  unreadable: RestoreWorld['unreadable'];
  /** Whether an overlay lies over the disks of today: KubeVirt makes one whenever the VM starts. */
  hasOverlay = true;

  constructor(asked: VMRestore, there: VirtualMachine | undefined) {
    this.restore = asked;
    this.vm = there;
    this.isRunning = there?.spec.runStrategy === 'Always';
    const state = stateClaim();
    if (there !== undefined) this.claims.set(state.metadata.name, state);
  }

  world(): RestoreWorld {
    const isChecked = this.jobs.get(checkJobName(this.restore))?.kind === 'Succeeded';
    return {
      restore: this.restore,
      backup: undefined,
      repository: repository(),
      clusterId: 'cluster',
      jobs: this.jobs,
      inspection: isChecked && !this.isLogLost ? inspection() : undefined,
      unreadable: this.unreadable,
      claims: this.claims,
      vm: this.vm,
      vmi: this.isRunning ? vmi : undefined,
    };
  }

  #status(changes: VMRestore['status']): void {
    this.restore = { ...this.restore, status: { ...this.restore.status, ...changes } };
  }

  /** @param isCut whether the controller dies after the first effect of the step, before the others and before the record */
  carryOut(step: RestoreStep, isCut: boolean): void {
    const some = <T>(all: readonly T[]): readonly T[] => (isCut ? all.slice(0, 1) : all);
    const plan = this.restore.status?.plan;
    switch (step.kind) {
      case 'Check':
        this.jobs.set(checkJobName(this.restore), {
          kind: 'Running',
          progress: undefined,
          lastLine: undefined,
        });
        return;
      case 'CheckAgain':
        this.jobs.delete(checkJobName(this.restore));
        this.isLogLost = false;
        return;
      case 'RecordPlan':
        if (!isCut) this.#status({ plan: step.plan, ...(step.isDryRun && { completedAt: 'now' }) });
        return;
      case 'MakeClaims':
        for (const { claimName } of some(step.claims))
          this.claims.set(claimName, existingClaim(claimName, UID));
        return;
      case 'Write':
        expect(this.vm !== undefined && isSwitched(this.vm, plan!), 'a VM stands on it').toBe(false);
        for (const { volume } of some(step.claims))
          this.jobs.set(writeJobName(this.restore, volume), {
            kind: 'Running',
            progress: undefined,
            lastLine: undefined,
          });
        return;
      case 'MakeVm':
        if (plan) {
          const made = newVm(this.restore, plan, step.inspection.definitions, 'now');
          this.vm ??= { ...made, metadata: { ...made.metadata, uid: 'new' } } as unknown as VirtualMachine;
        }
        return;
      case 'StopVm':
        this.#run('Halted');
        return;
      case 'Verify':
        this.jobs.set(verifyJobName(this.restore), {
          kind: 'Running',
          progress: undefined,
          lastLine: undefined,
        });
        return;
      case 'ForgetChanges':
        for (const name of some(step.claimNames))
          this.jobs.set(forgetJobName(this.restore, name), {
            kind: 'Running',
            progress: undefined,
            lastLine: undefined,
          });
        return;
      case 'ForgetAgain':
        for (const name of some(step.claimNames)) this.jobs.delete(forgetJobName(this.restore, name));
        return;
      case 'SwitchDisks': {
        // It would lie over the restored disks, and hide what it has marked as zeros.
        expect(this.hasOverlay).toBe(false);
        const turned = switchDisks(this.vm as never, plan!, 'now').find(
          ({ path }) => path.endsWith('/volumes') && true,
        );
        expect(turned).toBeDefined();
        const volumes = plan!.claims.map(({ volume, claimName }) => ({
          name: volume,
          persistentVolumeClaim: { claimName },
        }));
        this.vm = { ...this.vm!, spec: { ...this.vm!.spec, template: { spec: { volumes } } } };
        return;
      }
      case 'StartVm':
        this.#run(step.runStrategy as 'Always');
        return;
      case 'Fail':
        if (!isCut) this.#status({ failure: step.why });
        return;
      case 'Undo':
        this.jobs.clear();
        for (const name of some(step.claims)) this.claims.delete(name);
        if (isCut) return;
        if (step.startVm) this.#run('Always');
        this.#status({ completedAt: 'now' });
        return;
      case 'Succeed':
        if (!isCut) this.#status({ completedAt: 'now' });
        return;
      case 'Settled':
        if (!isCut) this.jobs.clear();
        return;
      case 'Wait':
      case 'Writing':
        return;
    }
  }

  #run(runStrategy: 'Always' | 'Halted'): void {
    this.vm = { ...this.vm!, spec: { ...this.vm!.spec, runStrategy } };
  }

  /** Time passes: Jobs end, and KubeVirt does what the VM says. */
  pass(failing: string | undefined): void {
    for (const [name, { kind }] of this.jobs) {
      if (kind !== 'Running') continue;
      const why = { reason: 'TargetFull', message: 'full' };
      this.jobs.set(name, name === failing ? { kind: 'Failed', why } : { kind: 'Succeeded' });
      if (name.includes('-forget-')) this.hasOverlay = false;
    }
    this.isRunning = this.vm?.spec.runStrategy === 'Always';
    if (this.isRunning) this.hasOverlay = true;
  }
}

function live(
  cluster: Cluster,
  cuts: readonly boolean[],
  failing?: string,
  losses: readonly boolean[] = [],
): readonly string[] {
  const steps: string[] = [];
  for (let turn = 0; turn < 90; turn++) {
    const step = decideRestore(cluster.world());
    const isOver = step.kind === 'Settled';
    if (!isOver || steps.at(-1) !== 'Settled') steps.push(step.kind);
    cluster.carryOut(step, cuts[turn] ?? false);
    if (isOver && cluster.jobs.size === 0) return steps;
    cluster.pass(failing);
    if (losses[turn]) cluster.jobs.clear();
  }
  throw new Error(`does not come to an end: ${steps.join(', ')}`);
}

const targets = [
  ['a new VM', newVM, undefined],
  ['in place, of a VM that runs', inPlace, vm()],
  ['in place, of a VM that is halted', inPlace, vm({ runStrategy: 'Halted' })],
  ['claims alone', claimsOnly, undefined],
] as const;

describe('a restore takes its steps in order', () => {
  test.each([
    ['a new VM', newVM, undefined, 'Check RecordPlan MakeClaims Write MakeVm Succeed Settled'],
    ['claims alone', claimsOnly, undefined, 'Check RecordPlan MakeClaims Write Succeed Settled'],
    [
      'in place',
      inPlace,
      vm(),
      'Check RecordPlan StopVm MakeClaims Write ForgetChanges SwitchDisks StartVm Succeed Settled',
    ],
  ])('to %s', (_, target, there, expected) => {
    expect(live(new Cluster(restore(target), there), []).join(' ')).toBe(expected);
  });

  test('and a dry run only two', () => {
    const cluster = new Cluster(restore(newVM, { dryRun: true }), undefined);
    expect(live(cluster, [])).toEqual(['Check', 'RecordPlan', 'Settled']);
    expect(cluster.claims.size).toBe(0);
  });
});

describe('killed at any step', () => {
  test.each(targets)('a restore to %s ends as if nothing had been', (_, target, there) => {
    const undisturbed = new Cluster(restore(target), there);
    live(undisturbed, []);
    assert(
      property(array(boolean(), { maxLength: 30 }), (cuts) => {
        const cluster = new Cluster(restore(target), there);
        live(cluster, cuts);
        expect(cluster).toEqual(undisturbed);
      }),
    );
  });

  test.each(targets)(
    'or of its Jobs, a restore to %s never writes what a VM stands on',
    (_, target, there) => {
      const undisturbed = new Cluster(restore(target), there);
      live(undisturbed, []);
      const some = array(boolean(), { maxLength: 30 });
      assert(
        property(some, some, (cuts, losses) => {
          const cluster = new Cluster(restore(target), there);
          live(cluster, cuts, undefined, losses);
          expect(cluster).toEqual(undisturbed);
        }),
      );
    },
  );

  test.each(targets)('a failed restore to %s leaves the world as it was', (_, target, there) => {
    const asked = restore(target);
    assert(
      property(array(boolean(), { maxLength: 30 }), constantFrom('root', 'data'), (cuts, volume) => {
        const cluster = new Cluster(asked, there);
        live(cluster, cuts, writeJobName(asked, volume));
        expect(cluster.restore.status?.failure).toMatchObject({ reason: 'TargetFull' });
        expect([...cluster.claims.keys()]).toEqual(there ? [stateClaim().metadata.name] : []);
        expect(cluster.jobs.size).toBe(0);
        expect(cluster.vm?.spec).toEqual(there?.spec);
      }),
    );
  });
});

describe('a restore', () => {
  /** One that has its plan, and whatever is said otherwise. */
  function planned(target: VMRestore['spec']['target'], there?: VirtualMachine): Cluster {
    const cluster = new Cluster(restore(target), there);
    while (cluster.restore.status?.plan === undefined) {
      cluster.carryOut(decideRestore(cluster.world()), false);
      cluster.pass(undefined);
    }
    return cluster;
  }

  test('in place waits for whoever stops the VM, unless it may do so itself', () => {
    const cluster = planned({ inPlace: { vmName: 'db', stopVM: false } }, vm());
    expect(decideRestore(cluster.world())).toMatchObject({
      kind: 'Wait',
      needsPerson: true,
      why: { reason: 'VMRunning' },
    });
  });

  test('in place writes nothing while the VM still stops', () => {
    const cluster = planned(inPlace, vm());
    cluster.carryOut({ kind: 'StopVm', vmName: 'db' }, false);
    expect(decideRestore(cluster.world())).toMatchObject({ kind: 'Wait', why: { reason: 'VMStopping' } });
  });

  test('leaves a claim alone that someone made since the plan', () => {
    const cluster = planned(newVM);
    cluster.claims.set('db-2-root', existingClaim('db-2-root'));
    cluster.carryOut(decideRestore(cluster.world()), false);
    expect(decideRestore(cluster.world())).toMatchObject({ kind: 'Fail', why: { reason: 'ClaimExists' } });
    expect(cluster.claims.get('db-2-root')?.metadata.labels).toEqual({});
  });

  test('leaves a VM alone that someone made since the plan, and takes its claims back', () => {
    const cluster = planned(newVM);
    while (decideRestore(cluster.world()).kind !== 'MakeVm') {
      cluster.carryOut(decideRestore(cluster.world()), false);
      cluster.pass(undefined);
    }
    const foreign = vm({ runStrategy: 'Halted' });
    cluster.vm = foreign;
    expect(live(cluster, [])).toEqual(['Fail', 'Undo', 'Settled']);
    expect(cluster.restore.status?.failure?.reason).toBe('VMExists');
    expect(cluster.claims.size).toBe(0);
    expect(cluster.vm).toBe(foreign);
  });

  test('names the claim that gets no volume, which the scheduler does not', () => {
    const cluster = planned(newVM);
    cluster.carryOut(decideRestore(cluster.world()), false);
    for (const [name, claim] of cluster.claims)
      cluster.claims.set(name, { ...claim, status: { phase: name === 'db-2-data' ? 'Pending' : 'Bound' } });
    const why = { reason: 'Unschedulable', message: 'pod has unbound immediate PersistentVolumeClaims' };
    for (const volume of ['root', 'data'])
      cluster.jobs.set(writeJobName(cluster.restore, volume), { kind: 'Waiting', why });
    const step = decideRestore(cluster.world());
    expect(step).toMatchObject({ kind: 'Wait', needsPerson: false, why: { reason: 'Unschedulable' } });
    expect(JSON.stringify(step)).toContain(
      "'db-2-data' of class 'ceph' has no volume yet: 'kubectl describe pvc",
    );
  });

  test('of a backup that cannot be read says where others are', () => {
    const cluster = new Cluster(restore(newVM), undefined);
    const why = { reason: 'BackupDataMissing', message: 'c/shop/db-1/x/manifest.json: is missing' };
    cluster.jobs.set(checkJobName(cluster.restore), { kind: 'Failed', why });
    const step = decideRestore(cluster.world());
    expect(step).toMatchObject({ kind: 'Fail', why: { reason: 'BackupDataMissing' } });
    expect(JSON.stringify(step)).toContain("manifest.json: is missing. Others: 'kubectl get tmb'");
  });

  test('asks again when the answer of the check is lost', () => {
    const cluster = new Cluster(restore(newVM), undefined);
    cluster.isLogLost = true;
    expect(live(cluster, []).slice(0, 4)).toEqual(['Check', 'CheckAgain', 'Check', 'RecordPlan']);
  });

  test('that may not start before all is proven reads the whole chain first', () => {
    const cluster = new Cluster(restore(inPlace, { verifyFirst: true }), vm());
    expect(live(cluster, []).slice(0, 4)).toEqual(['Check', 'Verify', 'RecordPlan', 'StopVm']);
  });

  test('touches nothing when that finds damage', () => {
    const asked = restore(inPlace, { verifyFirst: true });
    const cluster = new Cluster(asked, vm());
    expect(live(cluster, [], verifyJobName(asked))).toEqual(['Check', 'Verify', 'Fail', 'Undo', 'Settled']);
    expect(cluster.vm?.spec).toEqual(vm().spec);
  });

  test('makes the VM although the answer of the check was lost in a day of writing', () => {
    const cluster = planned(newVM);
    cluster.jobs.delete(checkJobName(cluster.restore));
    const steps = live(cluster, []);
    expect(steps.join(' ')).toBe('MakeClaims Write Check MakeVm Succeed Settled');
  });

  test.each([
    ['waits while a node does not give the log', 'LogUnreadable', 'Wait'],
    ['fails when the manifest cannot be understood', 'BackupUnreadable', 'Fail'],
  ])('%s', (_, reason, kind) => {
    const cluster = new Cluster(restore(newVM), undefined);
    cluster.isLogLost = true;
    cluster.carryOut(decideRestore(cluster.world()), false);
    cluster.pass(undefined);
    cluster.unreadable = { reason, message: 'why' };
    expect(decideRestore(cluster.world())).toMatchObject({ kind, why: { reason } });
  });

  test('in place takes the overlays away again when the VM was started before its disks were turned', () => {
    const cluster = planned(inPlace, vm());
    while (decideRestore(cluster.world()).kind !== 'SwitchDisks') {
      cluster.carryOut(decideRestore(cluster.world()), false);
      cluster.pass(undefined);
    }
    cluster.vm = vm();
    cluster.pass(undefined);
    expect(live(cluster, []).join(' ')).toBe(
      'ForgetAgain StopVm ForgetChanges SwitchDisks StartVm Succeed Settled',
    );
  });

  test('in place lets go of a VM that was made anew since the plan, and does not start it', () => {
    const cluster = planned(inPlace, vm());
    cluster.vm = { ...vm({ runStrategy: 'Halted' }), metadata: { ...vm().metadata, uid: 'another' } };
    expect(live(cluster, [])).toEqual(['Fail', 'Undo', 'Settled']);
    expect(cluster.restore.status?.failure?.reason).toBe('VMReplaced');
    expect(cluster.vm?.spec.runStrategy).toBe('Halted');
  });

  test('never removes the claims that a VM stands on', () => {
    const cluster = planned(inPlace, vm());
    while (decideRestore(cluster.world()).kind !== 'StartVm') {
      cluster.carryOut(decideRestore(cluster.world()), false);
      cluster.pass(undefined);
    }
    cluster.carryOut({ kind: 'Fail', why: { reason: 'Any', message: 'any' } }, false);
    expect(decideRestore(cluster.world())).toMatchObject({
      kind: 'Undo',
      claims: [],
      startVm: { runStrategy: 'Always' },
    });
  });
});
