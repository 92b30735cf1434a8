import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { VMBackup } from '../../../src/crds/vmbackup.ts';
import { VMBackupRepository } from '../../../src/crds/vmbackuprepository.ts';
import { StoredChain } from '../../mover/support/stored-chain.ts';
import { type Kubelet, startKubelet } from '../kubelet/kubelet.ts';
import { MiB, run } from '../launcher/index.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from './installation.ts';
import { eventually } from './kubevirt.ts';

/** Who is killed, and how long after the work was asked for (the controller), or after the Job's pod began. */
export interface Kill {
  readonly who: 'controller' | 'pod';
  readonly afterMs: number;
}

/** So many backups has each of the two chains. */
export const LINKS = 5;
/** Of one pod that was killed, the Job waits ten seconds before it makes another. */
const SECONDS = 120;

/**
 * A repository with two chains in it, of which the cluster knows nothing, and what is done with them while others are killed: import,
 * scrub, and removal of the left one. No VM and no agent has a part in it: the chains are written as the mover does.
 */
export class UpkeepStory implements AsyncDisposable {
  readonly #resources = new AsyncDisposableStack();
  readonly #tidemark: Installation;
  readonly #kubelet: Kubelet;
  readonly #cluster: string;
  #asked = 0;

  private constructor(tidemark: Installation, kubelet: Kubelet, clusterId: string) {
    this.#tidemark = tidemark;
    this.#kubelet = kubelet;
    this.#cluster = clusterId;
  }

  static async begin(): Promise<UpkeepStory> {
    await using building = new AsyncDisposableStack();
    const tidemark = building.use(await installTidemark());
    const { cluster, directory, programs } = tidemark;
    const kubelet = building.use(await startKubelet({ cluster, nodeName: NODE, directory, programs }));
    const uid = await cluster.kubectl(['get', 'ns', 'kube-system', '-o', 'jsonpath={.metadata.uid}']);
    const story = new UpkeepStory(tidemark, kubelet, uid);
    story.#resources.use(building.move());
    // Slow enough to be struck in its middle.
    const slow = JSON.stringify({ spec: { bandwidthLimit: '4Mi' } });
    await cluster.kubectl(['patch', 'tmrepo', 'nas', '--type=merge', '-p', slow]);
    for (const side of ['left', 'right']) await story.#write(side);
    return story;
  }

  /** Everything has an object again. */
  async imports(kills: readonly Kill[]): Promise<void> {
    const value = await this.#ask('sync');
    await this.#whileKilled(kills, async () => {
      const { catalogue } = (await this.#repository()).status ?? {};
      const backups = await this.#backups();
      const isDone = catalogue?.trigger === value && backups.length === 2 * LINKS;
      return isDone && backups.every(({ status }) => status?.phase === 'Succeeded');
    });
    const paths = (await this.#backups()).map(({ spec }) => spec.imported?.path ?? '');
    expect(paths.sort()).toEqual([...(await this.#stored('left')), ...(await this.#stored('right'))]);
    await this.#isWhole();
  }

  /** Every byte is read, and all is well. */
  async scrubs(kills: readonly Kill[]): Promise<void> {
    const value = await this.#ask('scrub');
    await this.#whileKilled(kills, async () => {
      const { scrub } = (await this.#repository()).status ?? {};
      return scrub?.trigger === value && scrub.cursor === undefined && scrub.lastFullPassAt !== undefined;
    });
    expect((await this.#repository()).status?.scrub).toMatchObject({ damagedCount: 0 });
    await this.#isWhole();
  }

  /** The left chain goes, by the wish for its first backup; the right one is what it was. Then the left one is there again. */
  async removesTheLeft(kills: readonly Kill[]): Promise<void> {
    const before = await this.#stored('right');
    const isLeft = ({ spec }: VMBackup) => spec.imported?.path.includes('/left-') === true;
    const doomed = (await this.#backups()).filter(isLeft);
    const first = doomed.find(({ status }) => status?.chain?.position === 0)?.metadata.name ?? '';
    const kubectl = (...args: readonly string[]) =>
      this.#tidemark.cluster.kubectl(['-n', NAMESPACE, ...args]);
    const policy = JSON.stringify({ spec: { deletionPolicy: 'Delete' } });
    await kubectl('patch', 'tmb', first, '--type=merge', '-p', policy);
    await eventually('the finalizer', async () => {
      const { metadata } = await this.#tidemark.backup(first);
      return metadata.finalizers?.length;
    });
    await kubectl('annotate', 'tmb', first, 'backup.tidemark.dev/delete-with=Chain');
    await kubectl('delete', 'tmb', first, '--wait=false');
    await this.#whileKilled(kills, async () => !(await this.#backups()).some(isLeft));
    expect(await this.#stored('left')).toEqual([]);
    expect(await this.#stored('right')).toEqual(before);
    await this.#isWhole();
    await rm(this.#directory('left'), { recursive: true, force: true });
    await this.#write('left');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  #directory(side: string): string {
    return join(this.#tidemark.repository, this.#cluster, NAMESPACE, `${side}-1a2b3c4d`);
  }

  async #write(side: string): Promise<void> {
    // A listing may be under way: it sees the whole chain or nothing of it.
    const written = join(this.#tidemark.directory, side);
    const chain = new StoredChain(written, side);
    const all = new Map(Array.from({ length: 16 }, (_, cluster) => [cluster, cluster + 1]));
    await chain.add(8 * MiB, all);
    for (let link = 1; link < LINKS; link++) await chain.add(8 * MiB, new Map([[link, 0x80 + link]]));
    await mkdir(dirname(this.#directory(side)), { recursive: true });
    await rename(written, this.#directory(side));
    // As the agents and Jobs write.
    await run(['chown', '-R', '107:0', this.#tidemark.repository]);
  }

  /** Paths of the backups of one side, and of whatever else lies beside them. */
  async #stored(side: string): Promise<readonly string[]> {
    const names = await readdir(this.#directory(side)).catch((): string[] => []);
    return names.sort().map((name) => `${this.#cluster}/${NAMESPACE}/${side}-1a2b3c4d/${name}`);
  }

  async #ask(what: string): Promise<string> {
    const value = `${what}-${++this.#asked}`;
    const annotation = `backup.tidemark.dev/${what}=${value}`;
    await this.#tidemark.cluster.kubectl(['annotate', '--overwrite', 'tmrepo', 'nas', annotation]);
    return value;
  }

  async #whileKilled(kills: readonly Kill[], isDone: () => Promise<boolean>): Promise<void> {
    const ofPod = kills
      .filter(({ who }) => who === 'pod')
      .map(({ afterMs }) => this.#kubelet.killNext(afterMs));
    for (const { who, afterMs } of kills) {
      if (who === 'pod') continue;
      await sleep(afterMs);
      await this.#tidemark.controller.kill('SIGKILL');
      await this.#tidemark.startController();
    }
    await Promise.all(ofPod);
    await eventually('the work to be done', async () => ((await isDone()) ? true : undefined), SECONDS);
    await eventually('no Job to be left', async () => {
      const { upkeep } = (await this.#repository()).status ?? {};
      return upkeep?.job === undefined ? true : undefined;
    });
  }

  /** What is there can be read to the last byte, nothing half lies about, and no failure is told. */
  async #isWhole(): Promise<void> {
    const { repository, mover } = this.#tidemark;
    const names = await readdir(repository, { recursive: true });
    expect(names.filter((name) => /(^|\/)\.(incoming|deleted)-/.test(name))).toEqual([]);
    for (const side of ['left', 'right']) {
      const tip = (await this.#stored(side)).at(-1);
      if (tip !== undefined) await run([...mover, 'verify', join(repository, tip), '--chain']);
    }
    expect((await this.#repository()).status?.upkeep?.failures ?? 0).toBe(0);
  }

  async #repository(): Promise<VMBackupRepository> {
    const text = await this.#tidemark.cluster.kubectl(['get', 'tmrepo', 'nas', '-o', 'json']);
    return VMBackupRepository.parse(JSON.parse(text));
  }

  async #backups(): Promise<readonly VMBackup[]> {
    const text = await this.#tidemark.cluster.kubectl(['-n', NAMESPACE, 'get', 'tmb', '-o', 'json']);
    return (JSON.parse(text) as { items: unknown[] }).items.map((item) => VMBackup.parse(item));
  }
}
