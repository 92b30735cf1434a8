#!/usr/bin/env node
/** `tidemark-controller`: decides what is backed up, when and how. It touches neither VMs nor repositories. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { namespaces } from '../crds/core.ts';
import type { CacheHealth } from '../kube/cache.ts';
import { systemClock } from '../kube/clock.ts';
import { connectKube } from '../kube/connect.ts';
import { startRecorder } from '../kube/events.ts';
import { fenced } from '../kube/fence.ts';
import { flagsOrExit } from '../kube/flags.ts';
import { type Check, serveHealth } from '../kube/health.ts';
import { Election } from '../kube/leader/lead.ts';
import { counted } from '../kube/metrics/counted.ts';
import { runtimeMetrics } from '../kube/metrics/runtime.ts';
import { stopOnSignals } from '../kube/stop.ts';
import type { Transport } from '../kube/transport.ts';
import { type Caches, healthOf, startCaches } from './caches.ts';
import { registerControllerMetrics } from './metrics/register.ts';
import { LEADER_LEASE, REPORTING_CONTROLLER } from './names.ts';
import { Options } from './options.ts';
import { runControllers } from './run.ts';

/** Time for the last reconciles to end, in milliseconds. */
const STOP_GRACE_MS = 20_000;
/** A healthy watch hears something each minute; one that is silent for so long hangs. Milliseconds. */
const SILENT_MS = 600_000;

const uptime = () => performance.now();

async function main(options: Options): Promise<void> {
  const log = pino({ level: options['log-level'], base: { component: 'controller' } });
  using stop = stopOnSignals(STOP_GRACE_MS, log);
  const { signal } = stop;
  const register = new Registry();
  const meter = runtimeMetrics(register);
  const count = (wire: Transport) => counted(wire, meter, uptime);
  const server = { kubeconfigPath: options.kubeconfig, userAgent: 'tidemark-controller' };
  const instance = process.env['HOSTNAME'] ?? hostname();
  const election = new Election({
    kube: connectKube({ ...server, through: [count] }),
    ...{ namespace: options.namespace, name: LEADER_LEASE, log },
    identity: options.identity ?? `${instance}_${randomUUID()}`,
    clock: systemClock,
    uptime,
  });
  const kube = connectKube({ ...server, through: [count, (wire) => fenced(wire, () => election.leads())] });
  // The UID of this namespace lives as long as the cluster, and no two clusters share it.
  const kubeSystem = await kube.get(namespaces, { name: 'kube-system' }, signal);
  const recorder = startRecorder({ kube, controller: REPORTING_CONTROLLER, instance, log }, signal);
  const caches = startCaches(kube, options.namespace, log, signal);
  registerControllerMetrics(
    register,
    caches,
    () => election.leads(),
    () => systemClock.now(),
  );
  await using health = await serveHealth({
    port: options['health-port'],
    live: liveness(caches),
    ready: readiness(caches),
    metrics: register,
  });
  log.info({ healthPort: health.port, clusterId: kubeSystem.metadata.uid }, 'started');
  const tools = { kube, clock: systemClock, recorder, meter };
  // The caches are warm before, so that a second replica goes on at once.
  await election.lead(async (leading) => {
    await runControllers(
      caches,
      { clusterId: kubeSystem.metadata.uid, image: options.image, namespace: options.namespace },
      tools,
      log,
      leading,
    );
    await recorder.settled();
  }, signal);
  log.info('stopped');
}

function liveness(caches: Caches): Readonly<Record<string, Check>> {
  return eachCheck(caches, ({ silentForMs, error }) =>
    silentForMs > SILENT_MS
      ? `silent for ${Math.round(silentForMs / 1000)} s${error ? `: ${error}` : ''}`
      : undefined,
  );
}

function readiness(caches: Caches): Readonly<Record<string, Check>> {
  return eachCheck(caches, ({ synced, error }) =>
    synced ? undefined : `not synced${error ? `: ${error}` : ''}`,
  );
}

function eachCheck(
  caches: Caches,
  check: (health: CacheHealth) => string | undefined,
): Readonly<Record<string, Check>> {
  return Object.fromEntries(
    Object.entries(healthOf(caches)).map(([name, health]) => [name, () => check(health())]),
  );
}

const options = flagsOrExit('tidemark-controller', Options);
try {
  await main(options);
} catch (error) {
  console.error(`tidemark-controller: ${error instanceof Error ? error.message : String(error)}`);
  // At once: whatever still runs must not act without the lease.
  process.exit(1);
}
