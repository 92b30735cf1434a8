import { Counter, collectDefaultMetrics, Histogram, type Registry } from 'prom-client';
import { type Family, registerFamilies } from './family.ts';
import type { Meter, QueueDepth } from './meter.ts';

/** Puts the metrics of the process and of the runtime into a registry. */
export function runtimeMetrics(register: Registry): Meter {
  collectDefaultMetrics({ register });
  const reconciles = new Histogram({
    name: 'tidemark_reconcile_duration_seconds',
    help: 'How long reconciles took, by controller and by how they ended (Done, Again, Waiting, Stalled, Error).',
    labelNames: ['controller', 'result'],
    // The agent's reconcile lasts as long as the copy does.
    buckets: [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600, 3600],
    registers: [register],
  });
  const requests = new Counter({
    name: 'tidemark_api_requests_total',
    help: 'Requests to the API server, by HTTP method (WATCH for watches), resource, and status code or reason.',
    labelNames: ['verb', 'resource', 'code'],
    registers: [register],
  });
  const latency = new Histogram({
    name: 'tidemark_api_request_duration_seconds',
    help: 'How long the API server took to answer; without watches.',
    labelNames: ['verb'],
    buckets: [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30],
    registers: [register],
  });
  const queues = new Map<string, () => QueueDepth>();
  const queueLength: Family = {
    name: 'tidemark_queue_length',
    help: 'Keys in the queue of a controller: ready, delayed (backoff, or to be looked at later), running.',
    labelNames: ['controller', 'state'],
    rows: () =>
      [...queues].flatMap(([controller, depth]) =>
        Object.entries(depth()).map(([state, value]) => ({ labels: { controller, state }, value })),
      ),
  };
  registerFamilies(register, [queueLength]);
  return {
    reconciled: (controller, result, seconds) => reconciles.observe({ controller, result }, seconds),
    queue: (controller, depth) => queues.set(controller, depth),
    requested(verb, resource, code, seconds) {
      requests.inc({ verb, resource, code });
      if (verb !== 'WATCH') latency.observe({ verb }, seconds);
    },
  };
}
