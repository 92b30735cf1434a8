import type { InspectResult } from '../../../src/domain/mover-report.ts';
import type { Mover } from '../../../src/node-agent/mover-process/mover.ts';
import type { Virsh } from '../../../src/node-agent/libvirt/virsh.ts';
import type { FakeLibvirt } from '../libvirt/fake-libvirt.ts';
import { inspected, nothingAt } from './fake-node.ts';

/** What a disk holds, block by block. */
type Blocks = readonly number[];

/** An image in the repository: all blocks, or those that changed since a parent. */
interface Image {
  readonly blocks: ReadonlyMap<number, number>;
  readonly parent: string | undefined;
  readonly found: InspectResult;
  /** What the disk held at the instant of its backup: the truth that a restore is held against. */
  readonly truth: Blocks;
}

/** A disk of some blocks with its dirty bitmaps, the job that reads it, and a repository: enough to make every wrong restore visible. */
export class ModelVm {
  readonly libvirt: FakeLibvirt;
  readonly images = new Map<string, Image>();
  readonly #disk: number[] = Array.from({ length: 6 }, () => 0);
  readonly #dirty = new Map<string, Set<number>>();
  /** What the running job shows: the disk, and each bitmap, as they were when it began. */
  #frozen: { readonly disk: Blocks; readonly dirty: ReadonlyMap<string, ReadonlySet<number>> } | undefined;
  /** Bitmaps that no clean stop has saved to the image yet. */
  readonly #unsaved = new Set<string>();
  /** Called before and after each action; throws when the process that acts is dead. */
  act: () => void = () => undefined;
  /** The commit of a mover whose agent died: a mover may outlive it. */
  unfinished: (() => void) | undefined;
  /** The same, to get through while the next mover works. */
  late: (() => void) | undefined;

  constructor(libvirt: FakeLibvirt) {
    this.libvirt = libvirt;
  }

  get bitmaps() {
    return this.libvirt.bitmaps.get('vda')!;
  }

  write(block: number, value: number): void {
    this.#settle();
    this.#disk[block % this.#disk.length] = value;
    for (const dirty of this.#dirty.values()) dirty.add(block % this.#disk.length);
  }

  /** A clean stop and start: bitmaps are saved, libvirt forgets its checkpoints, and a job is gone. */
  restart(): void {
    this.#settle();
    this.#unsaved.clear();
    this.#off();
  }

  /** SIGKILL of QEMU: what was never saved is missing, what was in use is inconsistent. */
  crash(): void {
    this.#settle();
    for (const name of this.bitmaps.keys()) {
      if (this.#unsaved.has(name)) this.bitmaps.delete(name);
      else this.bitmaps.set(name, 'inconsistent');
      this.#dirty.get(name)?.clear(); // what an inconsistent one tells is worth nothing
    }
    this.#off();
  }

  /** What `restore` writes for this backup. */
  restored(path: string): Blocks {
    const image = this.images.get(path);
    if (image === undefined) throw new Error(`nothing at ${path}`);
    const blocks = image.parent === undefined ? this.#disk.map(() => -1) : [...this.restored(image.parent)];
    for (const [block, value] of image.blocks) blocks[block] = value;
    return blocks;
  }

  readonly virsh: Virsh = async (args, options) => {
    this.act();
    this.#settle();
    const jobBefore = this.libvirt.job;
    const answer = await this.libvirt.virsh(args, options);
    this.#settle();
    if (jobBefore === undefined && this.libvirt.job !== undefined) {
      const dirty = new Map([...this.#dirty].map(([name, blocks]) => [name, new Set(blocks)] as const));
      this.#frozen = { disk: [...this.#disk], dirty };
    }
    this.act();
    return answer;
  };

  readonly mover: Mover = {
    inspect: async (path) => this.#acting(() => this.images.get(path)?.found ?? nothingAt(path)),
    discard: async (path) =>
      this.#acting(() => ({ event: 'result', command: 'discard', directory: path, removed: [] })),
    probe: async () =>
      this.#acting(() => ({
        ...{ event: 'result', command: 'probe', directory: '/r' },
        ...{ repositoryId: null, totalBytes: 2 ** 30, freeBytes: 2 ** 30, latencyMilliseconds: 1 },
      })),
    backup: async (job) => {
      this.late?.();
      this.late = undefined;
      const alreadyCommitted = this.images.has(job.path);
      const commit = this.#committing(job);
      this.unfinished = commit;
      this.act();
      commit();
      this.unfinished = undefined;
      this.act();
      return {
        ...{ event: 'result', command: 'backup', directory: job.path, alreadyCommitted, milliseconds: 1 },
        volumes: [...this.images.get(job.path)!.found.volumes],
      } as const;
    },
  };

  /** What the mover commits that has read the running job. */
  #committing({ path, manifest, volumes: [volume] }: Parameters<Mover['backup']>[0]): () => void {
    if (this.#frozen === undefined || volume === undefined) throw new Error('the source is gone');
    const { disk, dirty } = this.#frozen;
    const changed = volume.type === 'Full' ? disk.keys() : dirty.get(volume.bitmap);
    if (changed === undefined) throw new Error('no such bitmap');
    const blocks = new Map([...changed].map((block) => [block, disk[block]!]));
    const parent = volume.type === 'Full' ? undefined : volume.parent;
    const { uid, createdAt } = manifest.backup;
    const found = inspected(path, uid, manifest.bitmap, createdAt);
    return () => {
      if (!this.images.has(path)) this.images.set(path, { blocks, parent, found, truth: disk });
    };
  }

  #acting<T>(action: () => T): T {
    this.act();
    const done = action();
    this.act();
    return done;
  }

  /** Takes note of bitmaps that came and went, and of a job that ended. */
  #settle(): void {
    for (const name of this.bitmaps.keys()) {
      if (this.#dirty.has(name)) continue;
      this.#dirty.set(name, new Set());
      this.#unsaved.add(name);
    }
    for (const name of this.#dirty.keys()) {
      if (this.bitmaps.has(name)) continue;
      this.#dirty.delete(name);
      this.#unsaved.delete(name);
    }
    if (this.libvirt.job === undefined) this.#frozen = undefined;
  }

  #off(): void {
    this.libvirt.job = undefined;
    this.libvirt.checkpoints.clear();
    this.#settle();
  }
}
