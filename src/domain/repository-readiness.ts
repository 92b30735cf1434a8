import type { Agent, RepositoryReport } from './agent-report.ts';
import { clip, type Why } from './why.ts';

/** What the agents' reports say of one repository, summed up. */
export interface Readiness extends Why {
  readonly ready: boolean;
  /** Nodes whose agent looked at it, and of these, the ones that could write to it. */
  readonly nodes: number;
  readonly readyNodes: number;
  readonly freeBytes: number | undefined;
  readonly capacityBytes: number | undefined;
}

type Seen = readonly [nodeName: string, report: RepositoryReport];

/** So many nodes are named in a sentence; the rest is a number. */
const NAMED_NODES = 3;

/**
 * Sums up how the living agents find a repository. It is Ready when at least one node can write to it; the message names the nodes
 * that cannot, and a backup of a VM on such a node waits.
 */
export function sumReadiness(repository: string, agents: readonly Agent[]): Readiness {
  const living = agents.filter(({ alive }) => alive);
  const seen = living.flatMap(({ nodeName, repositories }): Seen[] => {
    const report = repositories[repository];
    return report === undefined ? [] : [[nodeName, report]];
  });
  const ready = seen.filter(([, report]) => report.ready);
  const newest = ready.reduce<RepositoryReport | undefined>(
    (best, [, report]) => (best === undefined || report.at > best.at ? report : best),
    undefined,
  );
  return {
    ready: ready.length > 0,
    ...why(living.length, seen, ready.length),
    nodes: seen.length,
    readyNodes: ready.length,
    freeBytes: newest?.freeBytes,
    capacityBytes: newest?.capacityBytes,
  };
}

function why(livingCount: number, seen: readonly Seen[], readyCount: number): Why {
  if (livingCount === 0) {
    const message =
      'No node agent gives a sign of life: check that the DaemonSet of the node agents runs, and its logs.';
    return { reason: 'NoAgentReported', message };
  }
  if (seen.length === 0) {
    const message = `${livingCount} ${livingCount === 1 ? 'node agent runs' : 'node agents run'}, and none has looked at it yet.`;
    return { reason: 'NoAgentReported', message };
  }
  const troubles = seen.filter(([, report]) => !report.ready).sort(([a], [b]) => (a < b ? -1 : 1));
  const count = `${readyCount} of ${seen.length} ${seen.length === 1 ? 'node' : 'nodes'} can write to it`;
  if (troubles.length === 0) return { reason: 'Ready', message: `${count}.` };
  const reason = readyCount > 0 ? 'Ready' : (commonReason(troubles) ?? 'NotReachable');
  return { reason, message: clip(`${count}. ${tell(troubles)}`) };
}

function commonReason(troubles: readonly Seen[]): string | undefined {
  const reasons = new Set(troubles.map(([, report]) => report.reason));
  return reasons.size === 1 ? [...reasons][0] : undefined;
}

function tell(troubles: readonly Seen[]): string {
  const named = troubles
    .slice(0, NAMED_NODES)
    .map(([node, report]) => `${node}: ${report.reason}: ${report.message}`);
  const more = troubles.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
