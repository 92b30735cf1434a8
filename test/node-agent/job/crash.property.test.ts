import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { decideBackup } from '../../../src/domain/decide-backup.ts';
import { hasSucceeded } from '../../../src/domain/outcome.ts';
import { workOf } from '../../../src/node-agent/job/work.ts';
import { sweepDomain } from '../../../src/node-agent/job/sweep.ts';
import { backup, instance, virtualMachine, world } from '../../domain/builders.ts';
import { FakeNode } from './fake-node.ts';
import { ModelVm } from './model-vm.ts';

const never = new AbortController().signal;
const volumes = [{ name: 'vda', persistentVolumeClaim: { claimName: 'db-vda' } }];
const HOUR_MS = 3_600_000;
const BEGIN = Date.parse('2026-11-23T12:00:00Z');

/** The agent dies after so many actions; then this happens, and another agent starts. */
const death = fc.record({
  afterActions: fc.integer({ min: 0, max: 60 }),
  next: fc.constantFrom(
    'nothing',
    'the guest writes',
    'QEMU dies',
    'the VM restarts',
    'the backup is deleted',
    'its mover gets through',
    'the VM restarts, and its mover gets through late',
  ),
});
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('backup' as const), deaths: fc.array(death, { maxLength: 3 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), block: fc.nat(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('restart' as const, 'crash' as const, 'delete' as const) }),
  },
);

class Killed extends Error {}

/** The VM, its node and all its VMBackups, driven by the real rules of the controller and the real steps of the agent. */
class Story {
  readonly node: FakeNode;
  readonly vm: ModelVm;
  backups: VMBackup[] = [];
  now = BEGIN;
  #value = 0;
  #named = 0;

  constructor(node: FakeNode) {
    this.node = node;
    this.vm = new ModelVm(node.libvirt);
    node.virsh = this.vm.virsh;
    node.mover = this.vm.mover;
    node.before = () => this.vm.act();
  }

  write(block: number): void {
    this.#value += 1;
    this.vm.write(block, this.#value);
  }

  /** One backup, from its creation to its end, over all deaths of its agents. */
  async backUp(deaths: readonly { afterActions: number; next: string }[]): Promise<void> {
    this.now += HOUR_MS;
    this.#named += 1;
    const name = `b${this.#named}`;
    const spec = { fullEvery: 4 };
    this.node.object = backup({ name, createdAt: new Date(this.now).toISOString(), spec });
    const left = [...deaths];
    for (let looks = 0; looks < 20 && this.node.object !== undefined; looks += 1) {
      this.now += 20 * 60_000;
      const decision = this.#decide(this.node.object);
      if (decision.kind === 'Succeeded' || decision.kind === 'Failed') break;
      if (decision.kind === 'Plan') {
        const object: VMBackup = this.node.object;
        this.node.object = { ...object, status: { ...object.status, plan: decision.plan } };
      }
      await this.#agentRuns(left.shift());
    }
    this.vm.act = () => undefined;
    if (this.node.object !== undefined) this.backups.push(this.node.object);
    await sweepDomain(this.vm.virsh, 'shop_db', () => new Set(), never);
  }

  #decide(object: VMBackup) {
    const claims = [{ metadata: { name: 'db-vda', uid: 'claim-vda' } }];
    const vm = { ...virtualMachine, spec: { template: { spec: { volumes } } } };
    const vmi = { ...instance(), spec: { volumes } };
    const agents = [{ nodeName: 'n1', seenAt: this.now, alive: true, repositories: {} }];
    return decideBackup(
      world({ backup: object, backups: [...this.backups, object], vm, vmi, claims, agents }),
      this.now,
    );
  }

  async #agentRuns(dies: { afterActions: number; next: string } | undefined): Promise<void> {
    let actions = dies?.afterActions ?? Number.POSITIVE_INFINITY;
    this.vm.act = () => {
      if (actions <= 0) throw new Killed('the agent is dead');
      actions -= 1;
    };
    if (workOf(this.node.object!, 'n1', new Date(this.now)).kind === 'None') return;
    await this.node.carryOut().catch((error: unknown) => {
      if (actions > 0) throw error;
    });
    if (actions > 0) return;
    if (dies?.next === 'the guest writes') this.write(this.#value);
    if (dies?.next === 'QEMU dies') this.vm.crash();
    if (dies?.next === 'the VM restarts') this.vm.restart();
    if (dies?.next === 'its mover gets through') this.vm.unfinished?.();
    if (dies?.next.endsWith('its mover gets through late')) {
      this.vm.restart();
      this.write(this.#value);
      this.vm.late = this.vm.unfinished;
    }
    if (dies?.next === 'the backup is deleted') this.node.object = undefined;
  }

  get good(): readonly VMBackup[] {
    return this.backups.filter(
      ({ status }) => status?.execution !== undefined && hasSucceeded(status.execution),
    );
  }
}

test('any sequence of backups, crashes after any action, restarts and deletions: what claims to be good restores to what the disk held', async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      await using node = await FakeNode.make();
      const story = new Story(node);
      for (const each of steps) {
        if (each.kind === 'write') story.write(each.block);
        if (each.kind === 'restart') story.vm.restart();
        if (each.kind === 'crash') story.vm.crash();
        if (each.kind === 'delete') story.backups = story.backups.slice(0, -1);
        if (each.kind !== 'backup') continue;
        await story.backUp(each.deaths);
        // No job is left that nobody watches over.
        expect(story.vm.libvirt.job).toBeUndefined();
      }
      for (const { metadata, status } of story.good) {
        const path = status?.plan?.path ?? '';
        expect(story.vm.restored(path), metadata.name).toEqual(story.vm.images.get(path)?.truth);
      }
      told += story.good.length;
    }),
    { numRuns: 300 },
  );
  // The property speaks of something.
  expect(told).toBeGreaterThan(300);
});
