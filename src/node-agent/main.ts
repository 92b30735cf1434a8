#!/usr/bin/env node
import { hostname } from 'node:os';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { VMBackupRepository } from '../crds/vmbackuprepository.ts';
import { connectKube } from '../kube/connect.ts';
import { runController } from '../kube/controller.ts';
import { startRecorder } from '../kube/events.ts';
import { flagsOrExit } from '../kube/flags.ts';
import { serveHealth } from '../kube/health.ts';
import { counted } from '../kube/metrics/counted.ts';
import { runtimeMetrics } from '../kube/metrics/runtime.ts';
import { stopOnSignals } from '../kube/stop.ts';
import { startCaches } from './caches.ts';
import { begunFirst } from './job/begun-first.ts';
import { reconcile } from './job/reconcile.ts';
import { keepSweeping } from './job/sweep.ts';
import { moverAt } from './mover-process/mover.ts';
import { moverCommand, Options } from './options.ts';
import { credentialsOf } from './repository/credentials.ts';
import { placeOf } from './repository/place.ts';
import { keepReporting } from './repository/report.ts';

/** `tidemark-node-agent`: carries out the backups that are planned for one node. */

const options = flagsOrExit('tidemark-node-agent', Options);
const nodeName = options['node-name'];
const log = pino({ level: options['log-level'], base: { node: nodeName } });
using stop = stopOnSignals(30_000, log);
const { signal } = stop;
const register = new Registry();
const meter = runtimeMetrics(register);
const kube = connectKube({
  kubeconfigPath: options.kubeconfig,
  userAgent: 'tidemark-node-agent',
  through: [(wire) => counted(wire, meter, () => performance.now())],
});
const caches = startCaches(kube, nodeName, log, signal);
const events = startRecorder(
  { kube, controller: 'tidemark.dev/node-agent', instance: hostname(), log },
  signal,
);
const limits = { copyStallMs: options['stall-seconds'] * 1000, answerMs: options['answer-seconds'] * 1000 };
const mover = moverCommand();
const places = { mountedBelow: options['mounted-below'] };
const moverOf = ({ metadata, spec }: VMBackupRepository) =>
  moverAt(
    placeOf(metadata.name, spec, places),
    mover,
    limits,
    places.mountedBelow === undefined ? credentialsOf(spec, kube, options.namespace) : undefined,
  );
const now = () => new Date();

await using health = await serveHealth({
  port: options['health-port'],
  live: {},
  metrics: register,
  ready: {
    'api-server': () => (caches.backups.health().synced ? undefined : 'the VMBackups are not known yet'),
  },
});

try {
  // An unknown VM must not be taken for a stopped one.
  await Promise.all(Object.values(caches).map((cache) => cache.synced));
  log.info({ healthPort: health.port }, 'node agent started');
  const maxBackups = options['max-backups'];
  const identity = { namespace: options.namespace, nodeName, durationSeconds: 30, maxBackups };
  const probes = { kube, identity, repositories: caches.repositories, moverOf, now, log };
  const context = {
    ...{ nodeName, podsDir: options['pods-dir'], kube, caches, moverOf, events, now, log },
    bandwidth: { perBackup: options['bandwidth-limit'], maxBackups },
    limits: {
      scratchBudgetBytes: options['scratch-budget'],
      scratchShare: options['scratch-share'] / 100,
      scratchReserveBytes: options['scratch-reserve'],
    },
  };
  await Promise.all([
    keepSweeping({ nodeName, caches, podsDir: options['pods-dir'], now, log }, signal),
    keepReporting(probes, options['probe-seconds'] * 1000, signal),
    runController(
      {
        name: 'backup',
        sources: [begunFirst(caches.backups)],
        reconcile: (key, stopped) => reconcile(context, key, stopped),
        log,
        concurrency: maxBackups,
        meter,
      },
      signal,
    ),
  ]);
} catch (error) {
  if (!signal.aborted) throw error;
}
