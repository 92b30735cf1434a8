import { z } from 'zod';
import type { Lease } from '../crds/core.ts';

/** Selects the Leases of the node agents, in the namespace of Tidemark. */
export const AGENT_LABEL = 'app.kubernetes.io/component';
export const AGENT_LABEL_VALUE = 'node-agent';
/** The annotation of an agent's Lease that tells how it finds each repository: JSON of {@link AgentReport}. */
export const REPORT_ANNOTATION = 'backup.tidemark.dev/repositories';

/** The annotation of an agent's Lease that tells how many backups it carries out at the same time. */
export const MAX_BACKUPS_ANNOTATION = 'backup.tidemark.dev/max-backups';

/** How one agent found one repository. */
export const RepositoryReport = z.object({
  /** Whether it could be mounted, read and written. */
  ready: z.boolean(),
  /** `Ready`, or what is wrong, in one PascalCase word. */
  reason: z.string().min(1).max(64),
  message: z.string().max(1024),
  /** Of the file system, in bytes. */
  freeBytes: z.int().min(0).optional(),
  capacityBytes: z.int().min(0).optional(),
  /** How long the look took. */
  latencyMs: z.number().min(0).optional(),
  /** When it looked: RFC 3339. */
  at: z.string().max(64),
});
export type RepositoryReport = z.infer<typeof RepositoryReport>;

/** By the name of the VMBackupRepository. */
export const AgentReport = z.record(z.string(), RepositoryReport);
export type AgentReport = z.infer<typeof AgentReport>;

/** A node agent, as its Lease tells. */
export interface Agent {
  readonly nodeName: string;
  /** When it last gave a sign of life, by the clock of whoever reads: milliseconds since the epoch. */
  readonly seenAt: number;
  /** Whether that is recent enough: within three times the Lease's duration. */
  readonly alive: boolean;
  /** How many backups it carries out at the same time; undefined if it does not say. */
  readonly maxBackups?: number | undefined;
  readonly repositories: AgentReport;
}

/** An agent whose Lease says nothing of its duration is given this long. */
const DEFAULT_DURATION_SECONDS = 40;
/** So many renewals may be late before an agent counts as gone. */
const LATE_RENEWALS = 3;

/** When a Lease was last seen to move, or first seen at all, by the clock of whoever watches it. */
export interface Sighting {
  readonly at: number;
  readonly moved: boolean;
}

/**
 * Reads the agents from their Leases; `holderIdentity` is the node's name. A Lease that tells nothing usable is passed over, and
 * reports that cannot be read count as none: another version of the agent must not stop the controller.
 *
 * @param sightingOf for whoever watches the Leases. The time in a Lease is its agent's clock, which may be wrong by minutes: it says
 *   who lives only until the Lease was seen to move.
 */
export function readAgents(
  leases: readonly Lease[],
  now: number,
  sightingOf: (lease: Lease) => Sighting | undefined = () => undefined,
): readonly Agent[] {
  return leases.flatMap((lease) => {
    const { holderIdentity, renewTime, leaseDurationSeconds = DEFAULT_DURATION_SECONDS } = lease.spec ?? {};
    const told = Date.parse(renewTime ?? '');
    if (lease.metadata.labels?.[AGENT_LABEL] !== AGENT_LABEL_VALUE) return [];
    if (holderIdentity === undefined || holderIdentity === '' || Number.isNaN(told)) return [];
    const { at: seenAt, moved } = sightingOf(lease) ?? { at: told, moved: true };
    const lateMs = LATE_RENEWALS * leaseDurationSeconds * 1000;
    const alive = now - seenAt <= lateMs && (moved || Math.abs(seenAt - told) <= lateMs);
    const { annotations } = lease.metadata;
    const repositories = readReports(annotations?.[REPORT_ANNOTATION]);
    const maxBackups = readCount(annotations?.[MAX_BACKUPS_ANNOTATION]);
    return [{ nodeName: holderIdentity, seenAt, alive, maxBackups, repositories }];
  });
}

function readCount(annotation: string | undefined): number | undefined {
  const count = Number(annotation);
  return Number.isSafeInteger(count) && count > 0 ? count : undefined;
}

function readReports(annotation: string | undefined): AgentReport {
  if (annotation === undefined) return {};
  try {
    return AgentReport.catch({}).parse(JSON.parse(annotation));
  } catch {
    return {};
  }
}
