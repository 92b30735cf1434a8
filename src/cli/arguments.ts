import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { z } from 'zod';
import type { ClusterChoice } from './cluster.ts';
import type { AnyCommand, BoundCommand } from './command.ts';
import { UsageError } from './exit-code.ts';

/** Flags that every command takes. */
const commonFlags: ParseArgsOptionsConfig = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string', short: 'n' },
};

const Named = z.string().min(1, 'it is empty').optional();
const Choice = z.object({ kubeconfig: Named, context: Named, namespace: Named });

/** What the user asked for. */
export type Request =
  | { readonly kind: 'Help'; readonly command: AnyCommand | undefined }
  | { readonly kind: 'Version' }
  | { readonly kind: 'Run'; readonly run: BoundCommand; readonly cluster: ClusterChoice };

/**
 * Reads a command line. Flags may stand before the command or after it, as kubectl allows.
 * @throws UsageError
 */
export function readArguments(args: readonly string[], commands: readonly AnyCommand[]): Request {
  const { name, wantsHelp, wantsVersion } = glance(args, commands);
  if (wantsVersion) return { kind: 'Version' };
  const command = commands.find((it) => it.name === name);
  if (name === 'help' || (wantsHelp && name === undefined)) return { kind: 'Help', command: undefined };
  if (command === undefined) {
    const problem = name === undefined ? 'say what to do' : `there is no command '${name}'`;
    const names = commands.map((it) => it.name).join(', ');
    throw new UsageError(`${problem}: the commands are ${names}; --help tells more`);
  }
  if (wantsHelp) return { kind: 'Help', command };
  const { values, positionals } = strictly(args, { ...commonFlags, ...command.flags });
  const raw = { ...values, arguments: positionals.slice(1) };
  return explained(command, () => ({
    kind: 'Run',
    cluster: Choice.parse(values),
    run: command.bind(raw),
  }));
}

/** Finds the command among the flags: to know which words are values of flags, it must know the flags of all commands. */
function glance(args: readonly string[], commands: readonly AnyCommand[]) {
  const flags = [commonFlags, ...commands.map(({ flags }) => flags)];
  const { values, positionals } = parseArgs({
    args: [...args],
    options: Object.fromEntries(flags.flatMap((some) => Object.entries(some))),
    allowPositionals: true,
    strict: false,
  });
  return {
    name: positionals[0],
    wantsHelp: values['help'] === true,
    wantsVersion: values['version'] === true,
  };
}

function strictly(args: readonly string[], options: ParseArgsOptionsConfig) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    // Its second sentence is about arguments that begin with a dash: we have none.
    const message = cause instanceof Error ? (cause.message.split('. ')[0] ?? '') : String(cause);
    throw new UsageError(message, { cause });
  }
}

function explained<T>(command: AnyCommand, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof z.ZodError)) throw cause;
    const issue = cause.issues[0];
    const where = issue?.path[0];
    const flag = typeof where === 'string' && where !== 'arguments' ? `--${where}: ` : '';
    throw new UsageError(`${flag}${issue?.message ?? 'wrong arguments'}; see ${command.name} --help`, {
      cause,
    });
  }
}
