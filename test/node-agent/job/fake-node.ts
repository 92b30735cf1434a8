import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pino } from 'pino';
import type { Execution, Plan, VMBackup } from '../../../src/crds/vmbackup.ts';
import type { InspectResult } from '../../../src/domain/mover-report.ts';
import type { Kube } from '../../../src/kube/client.ts';
import { KubeError, NotFound } from '../../../src/kube/errors.ts';
import type { KubeObject } from '../../../src/kube/kind.ts';
import type { Attempt, RunningVm } from '../../../src/node-agent/job/attempt.ts';
import { type CarryOutResult, carryOut } from '../../../src/node-agent/job/carry-out.ts';
import { AttemptFailed } from '../../../src/node-agent/job/attempt-failed.ts';
import { reportOf } from '../../../src/node-agent/job/report.ts';
import { workOf } from '../../../src/node-agent/job/work.ts';
import type { Virsh } from '../../../src/node-agent/libvirt/virsh.ts';
import { readDomain } from '../../../src/node-agent/libvirt/domain.ts';
import type { Mover } from '../../../src/node-agent/mover-process/mover.ts';
import { backup, plan, VM_UID } from '../../domain/builders.ts';
import { FakeLibvirt } from '../libvirt/fake-libvirt.ts';

/** One VM with the disk `vda`, its node, its repository and the API server: enough to carry out attempts. */
export class FakeNode implements AsyncDisposable {
  readonly libvirt = new FakeLibvirt(['vda']);
  /** What the repository holds, by path. */
  readonly committed = new Map<string, InspectResult>();
  /** The one VMBackup; undefined when it was deleted. */
  object: VMBackup | undefined;
  /** UIDs of what is in the cluster now. */
  vmUid = VM_UID;
  claimUid = 'claim-vda';
  claimName = 'db-vda';
  /** What is free in the repository. */
  freeBytes = 2 ** 30;
  /** What KubeVirt says of the instance. */
  vmiStatus: RunningVm['vmi']['status'] = {};
  /** Whether its launcher pod is being deleted. */
  terminating = false;
  /** Its launcher pod: each start has another. */
  pod = 'pod-1';
  /** Whether the VM runs on this node. */
  running = true;
  /** Called before the API server or the mover does anything; may throw. */
  before: (what: string) => void = () => undefined;
  virsh: Virsh = this.libvirt.virsh;
  readonly #directory: string;
  #now = Date.parse('2026-11-23T12:00:00Z');

  static async make(): Promise<FakeNode> {
    return new FakeNode(await mkdtemp(join(tmpdir(), 'tidemark-fake-node-')));
  }

  private constructor(directory: string) {
    this.#directory = directory;
    this.plan({});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** The controller plans; without more words, the first attempt of a full. */
  plan(changes: Partial<Plan>): void {
    const claim = { name: 'db-vda', uid: 'claim-vda' };
    const disks = [{ volume: 'vda', type: 'Full' as const, reason: 'NoEarlierBackup', claim }];
    const status = { ...this.object?.status, plan: plan({ bitmap: 'backup-1', disks, ...changes }) };
    this.object = { ...backup({ name: 'b' }), status };
  }

  /** An incremental on the good backup `backup-1`, whose bitmap is on the disk. */
  planIncremental(changes: Partial<Plan> = {}): void {
    const parentPath = 'c/shop/db-aaaaaaaa/parent';
    const claim = { name: 'db-vda', uid: 'claim-vda' };
    this.libvirt.bitmaps.get('vda')?.set('backup-1', 'good');
    this.committed.set(
      parentPath,
      inspected(parentPath, 'uid-of-parent', 'backup-1', '2026-11-23T11:00:00Z'),
    );
    this.plan({
      type: 'Incremental',
      bitmap: 'backup-2',
      parent: { name: 'parent', bitmap: 'backup-1' },
      disks: [{ volume: 'vda', type: 'Incremental', reason: 'ChangedSinceParent', parentPath, claim }],
      ...changes,
    });
  }

  get execution(): Execution | undefined {
    return this.object?.status?.execution;
  }

  /** The agent takes the plan up, and carries it out. */
  async carryOut({ stop = new AbortController().signal } = {}): Promise<CarryOutResult> {
    const object = this.object!;
    const work = workOf(object, 'n1', this.#clock());
    if (work.kind === 'None') throw new Error('there is nothing to carry out');
    const attempt: Attempt = {
      backup: object,
      plan: work.plan,
      quiesce: 'Never',
      report: reportOf(this.kube, object, work.execution),
      mover: this.mover,
      kube: this.kube,
      limits: { scratchBudgetBytes: 2 ** 40, scratchShare: 1, scratchReserveBytes: 0 },
      bandwidthLimit: undefined,
      now: () => this.#clock(),
      log: pino({ level: 'silent' }),
    };
    const nothing = () => false;
    const wishes = { migrationWanted: nothing, deletionWanted: nothing, superseded: nothing };
    return carryOut(attempt, () => this.find(), wishes, stop);
  }

  async find(): Promise<RunningVm> {
    const { virsh } = this;
    const volumes = [{ name: 'vda', persistentVolumeClaim: { claimName: this.claimName } }];
    const domain = await readDomain(virsh, 'shop_db');
    if (domain.state === 'shut off') throw new AttemptFailed('VMNotRunning', "The domain is 'shut off'.");
    const at = (inside: string, name: string) => ({ inside, outside: join(this.#directory, name) });
    return {
      vmi: {
        metadata: { name: 'db', namespace: 'shop', uid: 'vmi' },
        spec: { volumes },
        status: this.vmiStatus,
      },
      paths: {
        libvirtSocket: join(this.#directory, this.pod),
        sockets: at('/var/run/kubevirt/sockets', 'sockets'),
        scratch: at('/var/run/scratch', 'scratch'),
      },
      virsh,
      domain,
      terminating: this.terminating,
    };
  }

  /** Only what the agent uses. */
  readonly kube = {
    get: async (kind: { kind: string }) => {
      this.before(`get ${kind.kind}`);
      if (kind.kind === 'VirtualMachine') return { metadata: { name: 'db', uid: this.vmUid } };
      if (kind.kind === 'PersistentVolumeClaim') return { metadata: { name: 'db-vda', uid: this.claimUid } };
      if (this.object === undefined) throw new NotFound('NotFound', 'the VMBackup is gone');
      return this.object;
    },
    applyStatus: async (_kind: unknown, _ref: unknown, { execution }: { execution: Execution }) => {
      this.before('report');
      if (this.object === undefined) throw new NotFound('NotFound', 'the VMBackup is gone');
      this.object = { ...this.object, status: { ...this.object.status, execution } };
      return this.object as KubeObject;
    },
  } as unknown as Kube;

  mover: Mover = {
    inspect: async (path) => {
      this.before('inspect');
      return this.committed.get(path) ?? nothingAt(path);
    },
    backup: async ({ path, manifest }) => {
      this.before('backup');
      const alreadyCommitted = this.committed.has(path);
      if (!alreadyCommitted) {
        const { uid, createdAt } = manifest.backup;
        this.committed.set(path, inspected(path, uid, manifest.bitmap, createdAt));
      }
      const { volumes } = this.committed.get(path)!;
      return {
        ...{ event: 'result', command: 'backup', directory: path, alreadyCommitted, milliseconds: 1 },
        volumes: [...volumes],
      } as const;
    },
    probe: async () => {
      this.before('probe');
      const found = {
        repositoryId: null,
        totalBytes: 2 ** 30,
        freeBytes: this.freeBytes,
        latencyMilliseconds: 1,
      };
      return { event: 'result', command: 'probe', directory: '/r', ...found } as const;
    },
    discard: async (path) => {
      this.before('discard');
      return { event: 'result', command: 'discard', directory: path, removed: [] };
    },
  };

  #clock(): Date {
    this.#now += 1000;
    return new Date(this.#now);
  }
}

/** What `inspect` says of a good backup of the disk `vda`. */
export function inspected(
  path: string,
  uid: string,
  bitmap: string | null,
  createdAt: string,
): InspectResult {
  const counts = { virtualSizeBytes: 4096, dataBytes: 10, zeroBytes: 0, imageBytes: 100 };
  const volume = { name: 'vda', type: 'Full' as const, ...counts, bitmap: null, parentId: null };
  const id = basename(path);
  return {
    ...{ event: 'result', command: 'inspect', directory: path, usable: true, reason: null, message: null },
    backup: {
      ...{ id, uid, name: 'b', namespace: 'shop', createdAt, type: 'Full', bitmap },
      ...{ chainId: 'c', chainPosition: 0, vmUid: VM_UID },
    },
    volumes: [{ ...volume, chainLength: 1, reason: null, message: null }],
  };
}

/** What `inspect` says where there is nothing. */
export function nothingAt(path: string): InspectResult {
  const nothing = { usable: false, reason: 'ParentDataMissing', message: 'is missing' };
  return { event: 'result', command: 'inspect', directory: path, ...nothing, backup: null, volumes: [] };
}

export const weather = () => new KubeError('Unreachable', 'the API server does not answer');
