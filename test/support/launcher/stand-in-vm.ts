import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CommandFailed } from './command.ts';
import { copyContent, sha256Of } from './content.ts';
import {
  createImage,
  type Disk,
  layOutDisks,
  overlaysDirectory,
  ownedDirectory,
  POD_OVERLAYS,
} from './disks.ts';
import { domainXml, POD_BOOT } from './domain-xml.ts';
import { type Guest, guestOf } from './guest.ts';
import type { GuestIo } from './guest-io.ts';
import { type Launcher, startLauncher } from './launcher.ts';
import { createOverlay } from './overlay.ts';
import { type ScratchDirectory, scratchDirectory } from './scratch-directory.ts';
import { MiB } from './units.ts';
import { until } from './until.ts';
import { type Content, domainState, type DomainState, type StandInVmOptions } from './vm-types.ts';
import { type BackgroundWriter, startWriter, type WriterOptions } from './writer.ts';

const qmpAnswer = z.object({ return: z.unknown(), error: z.object({ desc: z.string() }) }).partial();

/** Makes the disks of a VM; `start()` runs it. Needs root. */
export async function standInVm(options: StandInVmOptions): Promise<StandInVm> {
  const scratch = options.directory ? undefined : await scratchDirectory('tidemark-vm-');
  const directory = options.directory ?? scratch?.path ?? '';
  const podsDir = options.podsDir ?? join(directory, 'pods');
  const disks = layOutDisks(directory, options.name, options.disks);
  await mkdir(podsDir, { recursive: true, mode: 0o750 });
  await ownedDirectory(overlaysDirectory(directory));
  for (const disk of disks) await createImage(disk);
  return new StandInVm(options, { directory, podsDir, disks, scratch });
}

interface Places {
  readonly directory: string;
  readonly podsDir: string;
  readonly disks: readonly Disk[];
  readonly scratch: ScratchDirectory | undefined;
}

/** A VM that starts, writes, stops and crashes at a test's word. Each start has a new launcher pod, as in KubeVirt. */
export class StandInVm implements AsyncDisposable {
  readonly namespace: string;
  readonly name: string;
  /** The libvirt domain: `<namespace>_<name>`. */
  readonly domain: string;
  readonly uuid: string;
  readonly serial: string;
  /** Bytes. */
  readonly memory: number;
  disks: readonly Disk[];
  readonly directory: string;
  readonly podsDir: string;
  readonly cache: 'none' | 'writeback';
  readonly #boot: string | undefined;
  readonly #scratch: ScratchDirectory | undefined;
  readonly #guest: Guest;
  readonly #writers = new Set<BackgroundWriter>();
  #launcher: Launcher | undefined;
  /** Whether writers may write: it was started, and not stopped since. */
  #on = false;
  #quiet = 0;
  #held = 0;

  constructor(options: StandInVmOptions, places: Places) {
    this.namespace = options.namespace;
    this.name = options.name;
    this.domain = `${options.namespace}_${options.name}`;
    this.uuid = options.uuid ?? randomUUID();
    this.serial = options.serial ?? randomUUID();
    this.memory = options.memory ?? 64 * MiB;
    this.disks = places.disks;
    this.directory = places.directory;
    this.podsDir = places.podsDir;
    this.cache = options.cache ?? 'none';
    this.#boot = options.boot;
    this.#scratch = places.scratch;
    this.#guest = guestOf(this.domain, () => this.launcher);
  }

  /** The pod of the running VM: its sockets, its UID, its virsh. Throws if there is none. */
  get launcher(): Launcher {
    if (!this.#launcher) throw new Error(`${this.domain} has no launcher pod: start() it first`);
    return this.#launcher;
  }

  /** A disk by its volume name. */
  disk(volume: string): Disk {
    const disk = this.disks.find((disk) => disk.volume === volume);
    if (!disk) throw new Error(`${this.domain} has no volume ${volume}`);
    return disk;
  }

  /** Powers it on, in a new pod; what is left of an old pod ends first. Paused writers go on. */
  async start(pod: { readonly podUid?: string } = {}): Promise<void> {
    const state = await this.state();
    if (state === 'running' || state === 'paused') throw new Error(`${this.domain} is ${state} already`);
    await this.#launcher?.end();
    this.#launcher = await this.anotherLauncher(pod);
    for (const disk of this.disks) if (disk.kind === 'cbt') await createOverlay(this.launcher.initPid, disk);
    const definition = join(this.directory, `${this.domain}.xml`);
    await writeFile(definition, this.#domainXml());
    await this.virsh('define', definition);
    await this.virsh('start', this.domain);
    this.#on = true;
  }

  /** One more launcher pod with the disks of this VM and no domain: where a migration leads. Ended by whoever made it. */
  async anotherLauncher(pod: { readonly podUid?: string } = {}): Promise<Launcher> {
    return startLauncher({
      ...pod,
      podsDir: this.podsDir,
      logFile: join(this.directory, `${this.domain}.log`),
      mounts: [
        { directory: overlaysDirectory(this.directory), at: POD_OVERLAYS },
        ...this.disks.map(({ directory, podDirectory }) => ({ directory, at: podDirectory })),
        ...(this.#boot === undefined ? [] : [{ directory: this.#boot, at: POD_BOOT }]),
      ],
    });
  }

  /**
   * Moves it live, disks shared, as KubeVirt does. The pod that it leaves runs on without it, and is given back. (unsafe: that
   * a directory of this machine is shared by the two pods is more than libvirt can know.)
   */
  async migrateTo(target: Launcher): Promise<Launcher> {
    const source = this.launcher;
    await this.whileQuiet(async () => {
      const flags = ['--live', '--persistent', '--unsafe', '--migrateuri', 'tcp://127.0.0.1'];
      await this.virsh('migrate', ...flags, this.domain, target.libvirtUri);
      this.#launcher = target;
    });
    return source;
  }

  /** Stops it cleanly, so that QEMU saves its bitmaps; then the pod goes. */
  async shutdown(): Promise<void> {
    await this.#switchOff();
    if (['running', 'paused'].includes(await this.state()))
      await this.virsh('destroy', '--graceful', this.domain);
    await this.#endPod();
  }

  /** As `virtctl restart`: a clean stop, and a start in another pod. */
  async restart(pod: { readonly podUid?: string } = {}): Promise<void> {
    await this.shutdown();
    await this.start(pod);
  }

  /** SIGKILL for QEMU alone, as an out-of-memory kill. The pod stays, with the domain shut off. */
  async kill9(): Promise<void> {
    await this.#switchOff();
    process.kill(await this.qemuPid(), 'SIGKILL');
    await until(`${this.domain} is shut off`, async () => (await this.state()) === 'shut off');
  }

  /** SIGKILL for the whole pod, as `kubectl delete pod --force` or the loss of the node. */
  async killLauncher(): Promise<void> {
    await this.#switchOff();
    await this.#endPod();
  }

  /**
   * Ends libvirtd alone: QEMU runs on, and the pod starts another one. Returns when it answers. Writers wait
   * meanwhile, since their I/O goes through libvirt's monitor connection.
   */
  async killLibvirtd(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.whileQuiet(() => this.launcher.killLibvirtd(signal));
  }

  /** QEMU's process, as the node counts. */
  async qemuPid(): Promise<number> {
    const qemu = (await this.launcher.processes()).find(({ name }) => name.startsWith('qemu-system'));
    if (!qemu) throw new Error(`${this.domain} has no QEMU process: it is ${await this.state()}`);
    return qemu.pid;
  }

  /** What libvirt says of it. */
  async state(): Promise<DomainState> {
    if (!this.#launcher) return 'no pod';
    return domainState.parse((await this.virsh('domstate', this.domain)).trim());
  }

  /** Runs virsh in this VM's libvirt, returns what it prints. Throws CommandFailed with libvirt's words. */
  async virsh(...args: readonly string[]): Promise<string> {
    return this.launcher.virsh(...args);
  }

  /** Runs a QMP command, returns its `return`. Throws CommandFailed with QEMU's words. */
  async qmp(execute: string, args: object = {}): Promise<unknown> {
    const command = ['qemu-monitor-command', this.domain, JSON.stringify({ execute, arguments: args })];
    const answer = qmpAnswer.parse(JSON.parse(await this.virsh(...command)));
    if (answer.error) throw new CommandFailed(command, execute, answer.error.desc);
    return answer.return;
  }

  /** Writes one byte value over a range. Offsets and lengths in bytes. Throws GuestIoFailed, as all guest I/O here. */
  async write(volume: string, io: { pattern: number; offset: number; length: number }): Promise<void> {
    await this.guest([{ op: 'write', volume, ...io }]);
  }

  async writeZeroes(volume: string, range: { offset: number; length: number }): Promise<void> {
    await this.guest([{ op: 'writeZeroes', volume, ...range }]);
  }

  async discard(volume: string, range: { offset: number; length: number }): Promise<void> {
    await this.guest([{ op: 'discard', volume, ...range }]);
  }

  async flush(volume: string): Promise<void> {
    await this.guest([{ op: 'flush', volume }]);
  }

  /** Many operations over one connection, in order: some milliseconds each. */
  async guest(ios: readonly GuestIo[]): Promise<void> {
    await this.#guest.perform(ios);
  }

  /** Starts a guest program that writes for ever. It pauses while the VM is stopped by this object. */
  keepWriting(options: WriterOptions): BackgroundWriter {
    const region = options.region ?? { offset: 0, length: this.disk(options.volume).size };
    const writer = startWriter(
      { ...options, region },
      {
        mayWrite: () => this.#on && this.#quiet === 0,
        perform: (ios) => this.guest(ios),
      },
    );
    this.#writers.add(writer);
    return writer;
  }

  /** Runs `action` while no writer of `keepWriting` writes. */
  async whileQuiet<T>(action: () => Promise<T>): Promise<T> {
    this.#quiet += 1;
    try {
      await this.#guest.idle();
      return await action();
    } finally {
      this.#quiet -= 1;
    }
  }

  /** Copies what a disk holds now, as its guest sees it, to a raw file. Works on a stopped VM too. */
  async snapshotOfDisk(volume: string, toRawFile: string): Promise<void> {
    const disk = this.disk(volume);
    await this.whileQuiet(async () => {
      const state = await this.state();
      const isWritten = disk.target.startsWith('vd'); // A guest here writes to its virtio disks alone.
      if (isWritten && (state === 'running' || state === 'paused')) await this.flush(volume);
      await copyContent(disk, toRawFile);
    });
  }

  /** What a disk holds now, kept for a later comparison. */
  async holds(volume: string): Promise<Content> {
    this.#held += 1;
    const file = join(this.directory, `${this.name}-${volume}-${this.#held}.raw`);
    await this.snapshotOfDisk(volume, file);
    return { file, sha256: await sha256Of(file), bytes: this.disk(volume).size };
  }

  /** Ends everything: writers, QEMU, pod, and the directory unless it was given. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#writers].map((writer) => writer.stop()));
    await this.#endPod();
    await this.#scratch?.[Symbol.asyncDispose]();
  }

  #domainXml(): string {
    const { domain, uuid, memory, disks, cache } = this;
    return domainXml({ domain, uuid, memory, disks, cache, bootsLinux: this.#boot !== undefined });
  }

  async #endPod(): Promise<void> {
    await this.#launcher?.end();
    this.#launcher = undefined;
  }

  async #switchOff(): Promise<void> {
    this.#on = false;
    await this.#guest.idle();
  }
}
