import type { Cluster, ClusterChoice } from './cluster.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { type Painter, painterFor } from './screen/style.ts';
import type { Terminal } from './terminal.ts';

/** The flags that every command takes. */
export interface CommonFlags extends ClusterChoice {
  readonly color?: boolean;
}

/** One run of the program: what commands write to, and the way to the cluster. */
export interface Session {
  readonly terminal: Terminal;
  /** How the run ends, unless it throws. */
  exitCode: ExitCode;
  /** As they were given; known before any command acts. */
  flags: CommonFlags;
  /** Opens the cluster that the flags mean; sends nothing yet. The client is slow to load, and help does not need it. */
  cluster(): Promise<Cluster>;
  /** Colours where the terminal and the user want them. */
  painter(): Painter;
  print(lines: readonly string[]): void;
}

/** A session on a terminal. */
export function sessionOn(terminal: Terminal): Session {
  return {
    terminal,
    exitCode: ExitCode.ok,
    flags: {},
    async cluster() {
      for (const name of ['namespace', 'kubeconfig', 'context'] as const) {
        if (this.flags[name] === '') throw new UsageError(`--${name} is empty`);
      }
      const { openCluster } = await import('./cluster.ts');
      return openCluster(this.flags);
    },
    painter() {
      return painterFor(terminal, this.flags.color !== false);
    },
    print: (lines) => terminal.stdout.write(`${lines.join('\n')}\n`),
  };
}
