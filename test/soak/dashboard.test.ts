import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKubelet } from '../support/kubelet/kubelet.ts';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { askAgent, lastFsynced, linuxGuest } from '../support/linux-guest/linux-guest.ts';
import { dashboardQueries, type Prometheus, startPrometheus } from '../support/monitoring/prometheus.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { backUpNow } from '../support/tidemark/points.ts';
import { serveSubresources } from '../support/tidemark/subresources.ts';

const queries = await dashboardQueries();

/** Of all that a panel may show, one is made to happen: here no panel of the dashboard is empty. */
describe('the dashboard of an installation at work', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;
  let prometheus: Prometheus;

  beforeAll(async () => {
    tidemark = resources.use(await installTidemark());
    const { cluster, directory, programs, podsDir } = tidemark;
    resources.use(await startKubelet({ cluster, nodeName: NODE, directory, programs }));
    await linuxVm(podsDir);
    const port = async (log: Promise<string>) => Number(/"healthPort":(\d+)/.exec(await log)?.[1]);
    const ports = [await port(tidemark.controller.log()), await port(tidemark.agent.log())];
    prometheus = resources.use(await startPrometheus(join(directory, 'prometheus'), ports));
    await schedule();
    await full();
    await fallback();
    await neverBegins();
    await scrub();
  }, 900_000);
  afterAll(() => resources.disposeAsync());

  async function linuxVm(podsDir: string): Promise<void> {
    const { boot, disk, diskBytes } = await linuxGuest(tidemark.directory);
    vm = resources.use(
      await standInVm({
        ...{ namespace: NAMESPACE, name: 'db', podsDir, boot, memory: 192 * MiB },
        disks: [{ volume: 'root', kind: 'cbt', size: diskBytes, from: disk }],
      }),
    );
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
    resources.use(await serveSubresources(tidemark.cluster, [vm]));
    await eventually('the guest agent', () => askAgent(vm, 'guest-ping').then(() => true), 300);
    await tidemark.kubevirt.tell(vm, { conditions: [{ type: 'AgentConnected', status: 'True' }] });
    await eventually('files', async () => ((await lastFsynced(vm)) > 1 ? true : undefined), 300);
  }

  async function schedule(): Promise<void> {
    await tidemark.apply({
      apiVersion: 'backup.tidemark.dev/v1alpha1',
      kind: 'VMBackupSchedule',
      metadata: { name: 'yearly', namespace: NAMESPACE },
      spec: { schedule: '0 2 1 1 *', vmNames: ['db'], template: { repository: 'nas' } },
    });
  }

  /** Two of them, each frozen: one alone has no rate. */
  async function full(): Promise<void> {
    for (const name of ['full', 'incremental']) {
      await backUpNow(tidemark, vm, name, { quiesce: 'Required' });
      expect((await tidemark.ended(name, 300)).status?.phase).toBe('Succeeded');
      // Two scrapes between them.
      const seen = `sum(tidemark_backups_finished_total) == ${name === 'full' ? 1 : 2}`;
      await eventually(seen, async () => ((await prometheus.ask(seen)).length > 0 ? true : undefined));
    }
  }

  async function fallback(): Promise<void> {
    const path = (await tidemark.backup('incremental')).status?.plan?.path ?? '';
    await truncate(join(tidemark.repository, path, 'root.qcow2'), 4096);
    await backUpNow(tidemark, vm, 'fallback', {});
    const { execution } = (await tidemark.ended('fallback', 300)).status ?? {};
    expect(execution?.incrementalFallback).toBeDefined();
  }

  async function neverBegins(): Promise<void> {
    await backUpNow(tidemark, { name: 'ghost' }, 'fails', { startDeadlineSeconds: 10 });
    await backUpNow(tidemark, { name: 'ghost' }, 'waits', {});
    expect((await tidemark.ended('fails', 300)).status?.phase).toBe('Failed');
  }

  async function scrub(): Promise<void> {
    await tidemark.cluster.kubectl(['annotate', 'tmrepo', 'nas', 'backup.tidemark.dev/scrub=now']);
  }

  test.each(queries)('"%s" has data', async (_, expr) => {
    const numbers = await eventually(
      expr,
      async () => {
        const values = (await prometheus.ask(expr)).filter((value) => value !== 'NaN');
        return values.length > 0 ? values : undefined;
      },
      120,
    );
    expect(numbers.map(Number).every(Number.isFinite)).toBe(true);
  });
});
