import type { ParseArgsOptionsConfig } from 'node:util';
import type { z } from 'zod';
import type { Cluster } from './cluster.ts';
import type { ExitCode } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** One command of `kubectl tidemark`. */
export interface Command<Options> {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` after the command shows. */
  readonly usage: string;
  /** Its own flags, beside those that every command takes. */
  readonly flags: ParseArgsOptionsConfig;
  /** Reads flags and arguments: the flags by their long names, the arguments as the list `arguments`. */
  readonly options: z.ZodType<Options>;
  /** Does it. Throws KubeError, or any error whose message says what to do. */
  run(options: Options, cluster: Cluster, terminal: Terminal): Promise<ExitCode>;
}

/** A command whose options were read: what is left is to give it a cluster. */
export type BoundCommand = (cluster: Cluster, terminal: Terminal) => Promise<ExitCode>;

/** A command among others, its options known only to itself. */
export interface AnyCommand extends Pick<Command<unknown>, 'name' | 'summary' | 'usage' | 'flags'> {
  /** @throws ZodError whose first issue says what to write instead */
  bind(raw: Readonly<Record<string, unknown>>): BoundCommand;
}

/** Puts a command among others. */
export function asCommand<Options>(command: Command<Options>): AnyCommand {
  const { name, summary, usage, flags } = command;
  return {
    name,
    summary,
    usage,
    flags,
    bind: (raw) => {
      const options = command.options.parse(raw);
      return (cluster, terminal) => command.run(options, cluster, terminal);
    },
  };
}
