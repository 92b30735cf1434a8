import { Command, type CommandUnknownOpts } from '@commander-js/extra-typings';
import packageJson from '../../package.json' with { type: 'json' };
import { backup } from './commands/backup.ts';
import { completion } from './commands/completion.ts';
import { protect } from './commands/protect.ts';
import { repo } from './commands/repo.ts';
import { report } from './commands/report.ts';
import { restore } from './commands/restore.ts';
import { status } from './commands/status.ts';
import { tree } from './commands/tree.ts';
import { verify } from './commands/verify.ts';
import { why } from './commands/why.ts';
import type { Session } from './session.ts';

/** The whole command line. It does nothing until it is given arguments to parse, and then acts through the session alone. */
export function program(session: Session): CommandUnknownOpts {
  const root = new Command('kubectl tidemark')
    .description(
      'Backups of KubeVirt virtual machines: how they stand, why they are as they are, and new ones.',
    )
    .version(packageJson.version)
    .option('-n, --namespace <namespace>', "the namespace (default: the one of the kubeconfig's context)")
    .option('--kubeconfig <file>', 'a kubeconfig (default: $KUBECONFIG, then ~/.kube/config)')
    .option('--context <name>', 'a context of the kubeconfig')
    .option('--no-color', 'never colour, as with the variable NO_COLOR')
    .hook('preAction', (given) => {
      session.flags = given.opts();
    });
  const commands: readonly CommandUnknownOpts[] = [
    status(session),
    tree(session),
    why(session),
    backup(session),
    restore(session),
    verify(session),
    protect(session),
    repo(session),
    report(session),
    completion(session),
  ];
  for (const command of commands) root.addCommand(command);
  quiet(root, session);
  return root;
}

/** What commander would print and exit with goes through us, of a command and of all beneath it: one line, and the exit code of `run`. */
function quiet(command: CommandUnknownOpts, session: Session): void {
  const { terminal } = session;
  command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      getOutHelpWidth: () => HELP_WIDTH,
      outputError: () => {},
    });
  for (const child of command.commands) quiet(child, session);
}

const HELP_WIDTH = 100;
