import { stripVTControlCharacters } from 'node:util';
import { CommanderError } from '@commander-js/extra-typings';
import { complete } from './complete/complete.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { program } from './program.ts';
import { sessionOn } from './session.ts';
import type { Terminal } from './terminal.ts';

/** Runs one command line, tells in one line what went wrong, and gives the exit code. Never throws. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const session = sessionOn(terminal);
  try {
    const root = program(session);
    if (args[0] === '__complete') await complete(root, args.slice(1), session);
    else await root.parseAsync(args, { from: 'user' });
    return session.exitCode;
  } catch (error) {
    // Help and version end this way, too.
    if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.ok;
    terminal.stderr.write(`kubectl tidemark: ${oneLine(error)}\n`);
    return error instanceof CommanderError || error instanceof UsageError ? ExitCode.usage : ExitCode.failed;
  }
}

function oneLine(error: unknown): string {
  // Called without a command, commander has printed the help and says so in brackets.
  if (error instanceof CommanderError && error.code === 'commander.help')
    return 'say what to do: the commands stand above';
  const message = error instanceof Error ? error.message : String(error);
  return stripVTControlCharacters(message)
    .replace(/^error: /, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
