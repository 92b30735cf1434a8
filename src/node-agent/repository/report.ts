import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import {
  AGENT_LABEL,
  AGENT_LABEL_VALUE,
  type AgentReport,
  MAX_BACKUPS_ANNOTATION,
  REPORT_ANNOTATION,
  type RepositoryReport,
} from '../../domain/agent-report.ts';
import type { Cache } from '../../kube/cache.ts';
import type { Kube } from '../../kube/client.ts';
import { renewLease } from '../../kube/lease.ts';
import { reasonOf } from '../job/attempt-failed.ts';
import { FIELD_MANAGER } from '../job/report.ts';
import type { Mover } from '../mover-process/mover.ts';

export interface LeaseIdentity {
  readonly namespace: string;
  readonly nodeName: string;
  /** How long the agent counts as alive after a renewal, in seconds. */
  readonly durationSeconds: number;
  /** How many backups the agent carries out at the same time. */
  readonly maxBackups: number;
}

/** Tries one repository. Never throws: what goes wrong is the report. */
export async function probeRepository(
  mover: Mover,
  now: () => Date,
  signal: AbortSignal,
): Promise<RepositoryReport> {
  try {
    const found = await mover.probe(signal);
    return {
      ready: true,
      reason: 'Ready',
      message: `Written, read back and deleted in ${Math.round(found.latencyMilliseconds)} ms.`,
      freeBytes: found.freeBytes,
      capacityBytes: found.totalBytes,
      latencyMs: Math.round(found.latencyMilliseconds),
      at: now().toISOString(),
    };
  } catch (error) {
    signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    return { ready: false, reason: reasonOf(error), message: message.slice(0, 512), at: now().toISOString() };
  }
}

/** Probes every repository, one after the other, so that a dead server holds up only one mover at a time. */
export async function probeAll(
  repositories: readonly VMBackupRepository[],
  moverOf: (repository: VMBackupRepository) => Mover,
  now: () => Date,
  log: Logger,
  signal: AbortSignal,
): Promise<AgentReport> {
  const report: Record<string, RepositoryReport> = {};
  for (const repository of repositories) {
    const { name } = repository.metadata;
    const found = await probeRepository(moverOf(repository), now, signal);
    if (!found.ready) log.warn({ repository: name, reason: found.reason }, found.message);
    report[name] = found;
  }
  return report;
}

/**
 * Renews this agent's Lease, with what it found of the repositories in an annotation: a status that every node writes into
 * would not scale to a thousand nodes.
 */
export async function tellReport(
  kube: Kube,
  identity: LeaseIdentity,
  report: AgentReport,
  now: Date,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, nodeName, durationSeconds, maxBackups } = identity;
  const beat = {
    namespace,
    durationSeconds,
    name: `tidemark-agent-${nodeName}`,
    holder: nodeName,
    fieldManager: FIELD_MANAGER,
    labels: { 'app.kubernetes.io/name': 'tidemark', [AGENT_LABEL]: AGENT_LABEL_VALUE },
    annotations: {
      [REPORT_ANNOTATION]: JSON.stringify(report),
      [MAX_BACKUPS_ANNOTATION]: String(maxBackups),
    },
  };
  await renewLease(kube, beat, now, signal);
}

export interface Reporting {
  readonly kube: Kube;
  readonly identity: LeaseIdentity;
  readonly repositories: Cache<VMBackupRepository>;
  readonly moverOf: (repository: VMBackupRepository) => Mover;
  readonly now: () => Date;
  readonly log: Logger;
}

/**
 * Probes the repositories every so many milliseconds, at once when one is made or changed, and renews the Lease all the
 * while: a probe that hangs on a dead server must not make the agent look dead. Goes on until the signal aborts.
 */
export async function keepReporting(
  reporting: Reporting,
  probeEveryMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { kube, identity, repositories, moverOf, now, log } = reporting;
  let report: AgentReport = {};
  const tell = async () => {
    try {
      await tellReport(kube, identity, report, now(), signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'the Lease was not renewed');
    }
  };
  const probe = async () => {
    while (!signal.aborted) {
      const asked = specsOf(repositories);
      report = await probeAll(repositories.list(), moverOf, now, log, signal);
      await tell();
      if (specsOf(repositories) === asked) await untilChange(repositories, asked, probeEveryMs, signal);
    }
  };
  const renew = async () => {
    while (!signal.aborted) {
      await tell();
      await sleep((identity.durationSeconds * 1000) / 3, undefined, { signal }).catch(() => undefined);
    }
  };
  await Promise.all([probe(), renew()]);
}

/** Everything of the repositories that a probe depends on. */
function specsOf(repositories: Cache<VMBackupRepository>): string {
  return JSON.stringify(repositories.list().map(({ metadata, spec }) => [metadata.name, spec]));
}

/** Waits, but not longer than until a repository is made, changed or removed. */
async function untilChange(
  repositories: Cache<VMBackupRepository>,
  asked: string,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const changed = new AbortController();
  const leave = repositories.onChange(() => {
    if (specsOf(repositories) !== asked) changed.abort();
  });
  await sleep(ms, undefined, { signal: AbortSignal.any([signal, changed.signal]) }).catch(() => undefined);
  leave();
}
