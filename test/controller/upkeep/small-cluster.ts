import { isDeepStrictEqual } from 'node:util';
import { jobs, namespaces, type Pod } from '../../../src/crds/core.ts';
import { vmBackups } from '../../../src/crds/vmbackup.ts';
import { vmBackupRepositories } from '../../../src/crds/vmbackuprepository.ts';
import { vmRestores } from '../../../src/crds/vmrestore.ts';
import type { Caches } from '../../../src/controller/caches.ts';
import { REPOSITORY_PATH } from '../../../src/domain/job/mover-pod.ts';
import type { JsonPatch, Kube, NewObject } from '../../../src/kube/client.ts';
import { AlreadyExists, Conflict, Invalid, NotFound } from '../../../src/kube/errors.ts';
import { type Kind, keyOf, type KubeObject, type Ref } from '../../../src/kube/kind.ts';
import { runMover } from '../../../src/mover/run.ts';
import { memoryWorld } from '../../mover/support/memory-world.ts';

/** An object as it lies in the store. */
export interface Stored {
  metadata: Record<string, unknown> & { name: string; finalizers?: string[] };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

/**
 * As much of an API server as the upkeep of a repository and the end of a restore ask for, in memory. Its Jobs are the mover's own commands, run on a real
 * directory as soon as they are made. It can crash whoever writes: before a write has its effect, or after, when nobody hears of it.
 */
export class SmallCluster {
  readonly objects = new Map<string, Stored>();
  /** How many writes there were. */
  writes = 0;
  /** The write that crashes the writer, once. */
  crash: { readonly at: number; readonly when: 'before' | 'after' } | undefined;
  /** When the Jobs that are made now say they were made. */
  today = '2026-11-23T18:00:00Z';
  /** Why the pods of Jobs that are made now never begin. */
  stuck: { readonly reason: string; readonly message: string } | undefined;
  readonly #root: string;
  #version = 0;
  /** What the Jobs said, by name. */
  readonly #logs = new Map<string, string>();

  constructor(root = '') {
    this.#root = root;
  }

  /** What it says to who only asks: throws, if it would refuse. */
  onRehearsal: (object: NewObject) => void = () => undefined;

  put(kind: Kind, object: Stored): void {
    this.objects.set(key(kind, object.metadata), this.#next(object));
  }

  list(kind: Kind): readonly Stored[] {
    return [...this.objects].flatMap(([at, object]) => (at.startsWith(`${kind.plural}/`) ? [object] : []));
  }

  readonly kube = {
    get: async (kind: Kind, ref: Ref) => kind.parse(this.#find(kind, ref)),
    list: async () => [],
    podLog: async ({ name }: Ref) => this.#logs.get(name) ?? '',
    create: (kind: Kind, object: NewObject) =>
      this.#write(async () => {
        const at = key(kind, object.metadata);
        if (!/^[a-z0-9.-]{1,253}$/.test(object.metadata.name))
          throw new Invalid('Invalid', `${at}: metadata.name: Invalid value`);
        if (this.objects.has(at)) throw new AlreadyExists('AlreadyExists', `${at} is there.`);
        const uid = object.metadata.uid ?? `uid-${at}`;
        const made = asStored({ ...object, metadata: { ...object.metadata, uid } });
        this.objects.set(at, this.#next(made));
        if (kind.plural === jobs.plural) await this.#run(made);
        return kind.parse(made);
      }),
    rehearse: async (_: Kind, object: NewObject) => this.onRehearsal(object),
    delete: (kind: Kind, ref: Ref) =>
      this.#write(async () => {
        const at = key(kind, ref);
        const object = this.objects.get(at);
        if (object?.metadata.finalizers?.length) {
          object.metadata['deletionTimestamp'] ??= '2026-11-23T18:00:00Z';
          this.#next(object);
        } else this.objects.delete(at);
      }),
    patch: (kind: Kind, ref: Ref, operations: readonly JsonPatch[]) =>
      this.#write(async () => {
        const object = this.#find(kind, ref);
        for (const operation of operations) patch(object, operation);
        const isFree = !object.metadata.finalizers?.length && object.metadata['deletionTimestamp'];
        if (isFree) this.objects.delete(key(kind, ref));
        return kind.parse(this.#next(object));
      }),
    applyStatus: (kind: Kind, ref: Ref, status: object) =>
      this.#write(async () => {
        const object = this.#find(kind, ref);
        object.status = JSON.parse(JSON.stringify({ ...object.status, ...status })) as Record<
          string,
          unknown
        >;
        return kind.parse(this.#next(object));
      }),
  } as unknown as Kube;

  /** Always up to date. */
  readonly caches = {
    backups: this.#cache(vmBackups),
    repositories: this.#cache(vmBackupRepositories),
    restores: this.#cache(vmRestores),
    jobs: this.#cache(jobs),
    jobPods: {
      list: (where: (pod: Pod) => boolean) =>
        this.list(jobs)
          .map((job) => podOf(job, this.stuck))
          .filter(where),
    },
    views: { backupsOfVm: () => this.list(vmBackups).map((each) => vmBackups.parse(each)) },
  } as unknown as Caches;

  #cache<T extends KubeObject>(kind: Kind<T>) {
    const all = () => this.list(kind).map((each) => kind.parse(each));
    return {
      kind,
      list: (where: (object: T) => boolean = () => true) => all().filter(where),
      get: (ref: Ref | string) =>
        all().find(({ metadata }) => keyOf(metadata) === (typeof ref === 'string' ? ref : keyOf(ref))),
    };
  }

  #find(kind: Kind, ref: Ref): Stored {
    const found = this.objects.get(key(kind, ref));
    if (found === undefined) throw new NotFound('NotFound', `${key(kind, ref)} is not there.`);
    return found;
  }

  #next(object: Stored): Stored {
    object.metadata['resourceVersion'] = String(++this.#version);
    return object;
  }

  async #write<R>(effect: () => Promise<R>): Promise<R> {
    this.writes += 1;
    const crash = this.crash?.at === this.writes ? this.crash.when : undefined;
    if (crash === 'before') throw new Error('killed before the write');
    const result = await effect();
    if (crash === 'after') throw new Error('killed after the write');
    return result;
  }

  async #run(job: Stored): Promise<void> {
    job.metadata['creationTimestamp'] = this.today;
    if (this.stuck !== undefined) return;
    const [container] = (job.spec as { template: { spec: { containers: { args: string[] }[] } } }).template
      .spec.containers;
    const { world, output } = memoryWorld();
    const code = await runMover(
      (container?.args ?? []).map((argument) => argument.replace(REPOSITORY_PATH, this.#root)),
      world,
    );
    this.#logs.set(job.metadata.name, output().replaceAll(this.#root, REPOSITORY_PATH));
    const type = code === 0 ? 'Complete' : 'Failed';
    job.status = { conditions: [{ type, status: 'True' }] };
  }
}

/** The pod of a Job that has ended, or of one that does not begin. */
function podOf({ metadata }: Stored, stuck: SmallCluster['stuck']): Pod {
  const labels = { 'batch.kubernetes.io/job-name': metadata.name };
  const status =
    stuck === undefined
      ? { phase: 'Succeeded' }
      : { phase: 'Pending', containerStatuses: [{ name: 'mover', state: { waiting: stuck } }] };
  return { metadata: { ...metadata, labels }, status } as unknown as Pod;
}

function key({ plural }: Kind, ref: Ref): string {
  return `${plural}/${plural === namespaces.plural ? ref.name : keyOf(ref)}`;
}

function asStored(object: object): Stored {
  return JSON.parse(JSON.stringify(object)) as Stored;
}

function patch(object: Stored, { op, path, ...operation }: JsonPatch): void {
  const parts = path.split('/').slice(1);
  const last = parts.pop() ?? '';
  let holder: Record<string, unknown> = { ...object };
  for (const part of parts) holder = holder[part] as Record<string, unknown>;
  const value = 'value' in operation ? operation.value : undefined;
  if (op === 'test' && !isDeepStrictEqual(holder[last] ?? null, value ?? null))
    throw new Conflict('Conflict', `${path} is another.`);
  if (op === 'remove' && Array.isArray(holder)) holder.splice(Number(last), 1);
  if (op === 'add' || op === 'replace') holder[last] = value;
}
