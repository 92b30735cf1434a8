import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { bundle } from '../../hack/build/bundle.ts';
import { programs } from '../../hack/build/programs.ts';
import type { Execution, Plan } from '../../src/crds/vmbackup.ts';
import { eventIn } from '../../src/domain/job/job-standing.ts';
import { type OfflineOrder, OfflineWord, orderToEnvironment } from '../../src/domain/offline-order.ts';
import { plan } from '../domain/builders.ts';
import { run, scratchDirectory, type StandInVm } from '../support/launcher/index.ts';

const root = new URL('../..', import.meta.url).pathname;
const VM_DIRECTORY = 'c/shop/db-aaaaaaaa';

/** One backup of the stopped VM in the chain. */
export interface Taken {
  readonly id: string;
  readonly bitmap: string;
  readonly result: Execution;
}

export type Ended =
  | { readonly kind: 'Good'; readonly taken: Taken }
  | { readonly kind: 'Failed'; readonly reason: string }
  | { readonly kind: 'Killed' };

/** The backup of stopped VMs as its Job runs it: the bundle, as a process of its own, told by its environment. */
export class OfflineRig {
  readonly #directory: string;
  readonly #vm: StandInVm;
  #number = 0;

  private constructor(directory: string, vm: StandInVm) {
    this.#directory = directory;
    this.#vm = vm;
  }

  static async make(directory: string, vm: StandInVm): Promise<OfflineRig> {
    await bundle(root, join(directory, 'programs'), programs);
    return new OfflineRig(directory, vm);
  }

  get repository(): string {
    return join(this.#directory, 'repository');
  }

  /** The order of the next backup: incremental on `parent`, if there is one. */
  order(parent?: Taken): OfflineOrder {
    this.#number += 1;
    const id = `b${this.#number}`;
    const bitmap = `backup-${1000 + this.#number}`;
    return {
      backup: { name: id, namespace: 'shop', uid: `uid-of-${id}`, vmName: 'db' },
      plan: plan({
        ...{ bitmap, path: `${VM_DIRECTORY}/${id}`, nodeName: '', job: id },
        type: parent ? 'Incremental' : 'Full',
        ...(parent && { parent: { name: parent.id, bitmap: parent.bitmap } }),
        chain: { id: 'uid-of-b1', position: parent ? 1 : 0 },
        disks: this.#vm.disks.map(({ volume }): Plan['disks'][number] =>
          parent
            ? {
                ...{ volume, type: 'Incremental', reason: 'ChangedSinceParent' },
                parentPath: `${VM_DIRECTORY}/${parent.id}`,
              }
            : { volume, type: 'Full', reason: 'NoEarlierBackup' },
        ),
      }),
      repository: this.repository,
      overlays: join(this.#vm.directory, 'state', 'cbt'),
      disks: this.#vm.disks.map(({ volume, image }) => ({ volume, path: image, isDevice: false })),
      definitions: { vmUid: 'vm', objects: {}, files: [] },
    };
  }

  /** Carries an order out. @param killAfterMs SIGKILL for the whole container, as when its node dies */
  async carryOut(order: OfflineOrder, killAfterMs?: number): Promise<Ended> {
    const program = join(this.#directory, 'programs/offline-backup.js');
    await using scratch = await scratchDirectory('tidemark-job-');
    const child = spawn('unshare', ['--pid', '--fork', '--kill-child', process.execPath, program], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', HOME: scratch.path, ...orderToEnvironment(order) },
    });
    let log = '';
    child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const timer =
      killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    await once(child, 'close');
    clearTimeout(timer);
    const said = OfflineWord.safeParse(eventIn(log, 'execution'));
    const result = said.data?.execution;
    if (result?.completedAt === undefined) return { kind: 'Killed' };
    if (result.error !== undefined) return { kind: 'Failed', reason: result.error.reason };
    return { kind: 'Good', taken: { id: order.backup.name, bitmap: order.plan.bitmap, result } };
  }

  async backUp(parent?: Taken): Promise<Taken> {
    const ended = await this.carryOut(this.order(parent));
    if (ended.kind !== 'Good') throw new Error(`the backup ended with ${JSON.stringify(ended)}`);
    return ended.taken;
  }

  /** What qemu-img makes of a backup and its chain is what the disk holds. @throws CommandFailed when it is not */
  async compare({ id }: Pick<Taken, 'id'>, volume: string, file: string): Promise<void> {
    const image = join(this.repository, VM_DIRECTORY, id, `${volume}.qcow2`);
    await run(['qemu-img', 'compare', '-f', 'qcow2', '-F', 'raw', image, file]);
  }
}
