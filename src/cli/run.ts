import { stripVTControlCharacters } from 'node:util';
import packageJson from '../../package.json' with { type: 'json' };
import { readArguments } from './arguments.ts';
import { asCommand } from './command.ts';
import { status } from './commands/status.ts';
import { why } from './commands/why.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

const commands = [asCommand(status), asCommand(why)];

const COMMON = `Every command takes:
  -n, --namespace NS     the namespace; the one of the kubeconfig's context when left out
      --kubeconfig FILE  a kubeconfig; $KUBECONFIG, then ~/.kube/config when left out
      --context NAME     a context of the kubeconfig
  -h, --help             tells of the command
      --version          tells the version
`;

/** Runs one command line, tells in one line what went wrong, and gives the exit code. Never throws. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    const request = readArguments(args, commands);
    switch (request.kind) {
      case 'Version':
        terminal.stdout.write(`${packageJson.version}\n`);
        return ExitCode.ok;
      case 'Help':
        terminal.stdout.write(`${request.command?.usage ?? overview()}\n${COMMON}`);
        return ExitCode.ok;
      case 'Run': {
        // The client is slow to load, and help does not need it.
        const { openCluster } = await import('./cluster.ts');
        return await request.run(openCluster(request.cluster), terminal);
      }
    }
  } catch (error) {
    terminal.stderr.write(`kubectl tidemark: ${oneLine(error)}\n`);
    return error instanceof UsageError ? ExitCode.usage : ExitCode.failed;
  }
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return ['kubectl tidemark COMMAND: backups of KubeVirt virtual machines', '', ...list, ''].join('\n');
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return stripVTControlCharacters(message).replaceAll(/\s+/g, ' ').trim();
}
