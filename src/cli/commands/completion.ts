import { Argument, Command } from '@commander-js/extra-typings';
import { type Shell, scripts, shells } from '../complete/scripts.ts';
import type { Session } from '../session.ts';

/** The scripts that let a shell complete our commands. */
export const completion = (session: Session) =>
  new Command('completion')
    .summary('the script that lets kubectl or a shell complete commands and names')
    .description(
      "Writes a script to standard output. 'kubectl': save it, executable, as kubectl_complete-tidemark on the PATH. " +
        'bash: source <(kubectl-tidemark completion bash). zsh: save it as _kubectl-tidemark in a directory of $fpath. ' +
        'fish: kubectl-tidemark completion fish | source.',
    )
    .addArgument(new Argument('<shell>', 'which one').choices<readonly Shell[]>(shells))
    .action((shell) => session.print([scripts[shell].trimEnd()]));
