import { access, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { CHART, render } from '../support/chart/helm.ts';
import { run } from '../support/control-plane/run.ts';
import { dashboardQueries, type Prometheus, startPrometheus } from '../support/monitoring/prometheus.ts';
import { NODE, READY, Rig } from './controller-rig.ts';

/** Alerts and dashboard, judged by promtool and by a Prometheus that scrapes a controller at work. */

const ROOT = join(CHART, '../..');
const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({ alert: z.string(), expr: z.string(), annotations: z.record(z.string(), z.string()) }),
      ),
    }),
  ),
});

let directory: string;
let rules: z.infer<typeof Rules>['groups'][number]['rules'];
const queries = await dashboardQueries();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-monitoring-'));
  const flags = [
    '--set',
    'metrics.prometheusRule.enabled=true',
    '-s',
    'templates/monitoring/prometheusrule.yaml',
  ];
  const { spec } = z.object({ spec: Rules }).parse(parse(await render(...flags)));
  rules = spec.groups.flatMap((group) => group.rules);
  // As the operator hands them to Prometheus: all that the object says, not only what is read here.
  const whole = z.object({ spec: z.unknown() }).parse(parse(await render(...flags)));
  await writeFile(join(directory, 'rules.yaml'), stringify(whole.spec));
});
afterAll(async () => await rm(directory, { recursive: true, force: true }));

describe('the alerts', () => {
  test('are rules that Prometheus takes', async () => {
    expect(await run('promtool', ['check', 'rules', join(directory, 'rules.yaml')])).toContain('SUCCESS');
  });

  test('fire when they should, and not before', async () => {
    await copyFile(join(ROOT, 'test/deploy/alerts/alerts.yaml'), join(directory, 'alerts.yaml'));
    expect(await run('promtool', ['test', 'rules', join(directory, 'alerts.yaml')])).toContain('SUCCESS');
  });

  test('each have a page that says what to do', async () => {
    for (const { annotations } of rules) {
      await access(join(ROOT, 'docs/runbooks', basename(annotations['runbook_url'] ?? 'nothing')));
    }
  });

  test('are all tried', async () => {
    const tried = await readFile(join(ROOT, 'test/deploy/alerts/alerts.yaml'), 'utf8');
    expect(
      rules.map(({ alert }) => alert).filter((alert) => !tried.includes(`alertname: ${alert}\n`)),
    ).toEqual([]);
  });
});

describe('a Prometheus that scrapes a controller at work', () => {
  let rig: Rig;
  let prometheus: Prometheus;
  let exposed: string;

  beforeAll(async () => {
    rig = await Rig.start();
    await rig.agentFinds(READY);
    await rig.repositoryIs('Ready');
    await rig.vm('db');
    await rig.schedule('nightly', { schedule: '0 2 * * *', vmNames: ['db'] });
    await rig.backup('first', 'db');
    await rig.succeed('first', { quiesce: { result: 'Frozen', frozenMilliseconds: 12 } });
    const controller = /"healthPort":(\d+)/.exec(await rig.controller.log())?.[1];
    exposed = await (await fetch(`http://127.0.0.1:${controller}/metrics`)).text();
    prometheus = await startPrometheus(join(directory, 'prometheus'), [Number(controller)]);
    await rig.until('two scrapes', async () => {
      const [sample] = await ask('count_over_time(tidemark_controller_leads[1m])');
      return Number(sample) >= 2 ? true : undefined;
    });
  });
  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  const ask = (expr: string) => prometheus.ask(expr);

  test.each(queries)('has an answer for the panel "%s"', async (title, expr) => {
    const answers = await ask(expr);
    // Nothing has failed, fallen back, or been frozen for long enough to have a rate yet.
    const mayBeEmpty = /failed|Fallbacks|95 %|stored|wait for|ended|Why fulls|Damaged|verification/;
    if (!mayBeEmpty.test(title)) expect(answers.length).toBeGreaterThan(0);
  });

  test('knows every metric that a query or an alert names', () => {
    const texts = [...queries.map(([, expr]) => expr), ...rules.map(({ expr }) => expr)];
    const named = new Set(texts.flatMap((text) => text.match(/tidemark_\w+/g) ?? []));
    const known = new Set([...exposed.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    const base = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
    expect([...named].filter((name) => !known.has(name) && !known.has(base(name)))).toEqual([]);
  });

  test('fires no alert while all is well, and counts what was done', async () => {
    for (const { alert, expr } of rules) expect([alert, await ask(expr)]).toEqual([alert, []]);
    expect(await ask(`tidemark_agent_up{node="${NODE}"}`)).toEqual(['1']);
    expect(await ask('tidemark_vm_chain_length{vm="db"}')).toEqual(['1']);
    expect(await ask('tidemark_vm_last_backup_frozen_seconds{vm="db"}')).toEqual(['0.012']);
    expect(await ask('tidemark_schedule_interval_seconds')).toEqual(['86400']);
  });
});
