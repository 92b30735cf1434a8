import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { VMBackupRepository } from '../../../src/crds/vmbackuprepository.ts';
import { AgentReport, REPORT_ANNOTATION } from '../../../src/domain/agent-report.ts';
import type { Cache } from '../../../src/kube/cache.ts';
import type { Kube } from '../../../src/kube/client.ts';
import type { Mover } from '../../../src/node-agent/mover-process/mover.ts';
import { MoverFailed } from '../../../src/node-agent/mover-process/spawn.ts';
import { keepReporting } from '../../../src/node-agent/repository/report.ts';
import { repositorySpec } from '../../domain/builders.ts';

const log = pino({ level: 'silent' });
const identity = { namespace: 'tidemark-system', nodeName: 'node-1', durationSeconds: 0.3, maxBackups: 2 };
const Lease = z.object({ metadata: z.object({ annotations: z.record(z.string(), z.string()) }) });

function repository(name: string, path = '/backups'): VMBackupRepository {
  return { metadata: { name, uid: name }, spec: repositorySpec({ local: { path } }) };
}

/** A cache of repositories that tests change. */
function cacheOf(...initial: VMBackupRepository[]) {
  let objects = initial;
  const handlers = new Set<() => void>();
  const cache = {
    list: () => objects,
    onChange: (handler: () => void) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  } as unknown as Cache<VMBackupRepository>;
  const change = (...next: VMBackupRepository[]) => {
    objects = next;
    for (const handler of handlers) handler();
  };
  return { cache, change };
}

/** An API server that notes what the Leases said. */
function kubeThatNotes() {
  const reports: AgentReport[] = [];
  const apply = async (_kind: unknown, object: unknown) => {
    const { annotations } = Lease.parse(object).metadata;
    reports.push(AgentReport.parse(JSON.parse(annotations[REPORT_ANNOTATION] ?? '')));
  };
  return { reports, kube: { apply } as unknown as Kube };
}

const PROBED = {
  event: 'result' as const,
  command: 'probe' as const,
  directory: '/backups',
  repositoryId: null,
  totalBytes: 100,
  freeBytes: 40,
  latencyMilliseconds: 3.4,
};

function moverThat(probe: Mover['probe']): () => Mover {
  return () => ({ probe }) as Mover;
}

async function reportFor(
  ms: number,
  parts: { cache: Cache<VMBackupRepository>; probe: Mover['probe'] },
  meanwhile?: () => void,
) {
  const stop = new AbortController();
  const { reports, kube } = kubeThatNotes();
  const moverOf = moverThat(parts.probe);
  const reporting = { kube, identity, repositories: parts.cache, moverOf, now: () => new Date(), log };
  const done = keepReporting(reporting, 60_000, stop.signal).catch(() => undefined);
  await sleep(ms / 2);
  meanwhile?.();
  await sleep(ms / 2);
  stop.abort(new Error('stopped'));
  await done;
  return reports;
}

describe('what an agent says of the repositories', () => {
  test('a probe that went well is told with space and latency', async () => {
    const reports = await reportFor(150, {
      cache: cacheOf(repository('nas')).cache,
      probe: async () => PROBED,
    });
    expect(reports.at(-1)).toMatchObject({
      nas: { ready: true, freeBytes: 40, capacityBytes: 100, latencyMs: 3 },
    });
  });

  test('a probe that failed is told with the reason of the mover', async () => {
    const probe = () => Promise.reject(new MoverFailed('TargetReadOnly', '/backups is read-only'));
    const reports = await reportFor(150, { cache: cacheOf(repository('nas')).cache, probe });
    expect(reports.at(-1)).toMatchObject({
      nas: { ready: false, reason: 'TargetReadOnly', message: '/backups is read-only' },
    });
  });

  test('the Lease is renewed while a probe hangs on a dead server', async () => {
    const probe = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
      });
    const reports = await reportFor(600, { cache: cacheOf(repository('nas')).cache, probe });
    expect(reports.length).toBeGreaterThanOrEqual(3);
  });

  test('a repository that is made is probed at once, and its status alone is no reason to probe', async () => {
    const { cache, change } = cacheOf(repository('nas'));
    let probes = 0;
    const probe = async () => {
      probes += 1;
      return PROBED;
    };
    const reports = await reportFor(400, { cache, probe }, () => {
      change({ ...repository('nas'), status: { readyNodes: 1 } });
      change(repository('nas'), repository('usb'));
    });
    expect(Object.keys(reports.at(-1) ?? {})).toEqual(['nas', 'usb']);
    expect(probes).toBe(3);
  });
});
