import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { CHART } from '../chart/helm.ts';
import { freePorts } from '../control-plane/ports.ts';
import { startProgram } from '../tidemark/program.ts';

/** A Prometheus from Debian that scrapes our programs every second. */
export interface Prometheus extends AsyncDisposable {
  /** The values that a query has now, as text. */
  ask(expr: string): Promise<readonly string[]>;
}

const Answer = z.object({
  status: z.literal('success'),
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});

/** @param ports of the programs' /metrics, on this machine */
export async function startPrometheus(directory: string, ports: readonly number[]): Promise<Prometheus> {
  const targets = ports.map((port) => `127.0.0.1:${port}`);
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: [{ job_name: 'tidemark', honor_labels: true, static_configs: [{ targets }] }],
  };
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'prometheus.yaml'), stringify(config));
  const { server: port } = await freePorts();
  const program = startProgram(
    [
      ...['prometheus', `--config.file=${join(directory, 'prometheus.yaml')}`],
      ...[`--storage.tsdb.path=${join(directory, 'data')}`, `--web.listen-address=127.0.0.1:${port}`],
    ],
    join(directory, 'prometheus.log'),
  );
  return {
    async ask(expr) {
      const query = new URLSearchParams({ query: expr.replaceAll('$namespace', '.*') });
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?${query.toString()}`);
      return Answer.parse(await answer.json()).data.result.map(({ value }) => value[1]);
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

const Dashboard = z.object({
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })),
});

/** Title of the panel and query, for every query of the dashboard. */
export async function dashboardQueries(): Promise<readonly (readonly [title: string, expr: string])[]> {
  const { panels } = Dashboard.parse(JSON.parse(await readFile(join(CHART, 'files/dashboard.json'), 'utf8')));
  return panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const));
}
