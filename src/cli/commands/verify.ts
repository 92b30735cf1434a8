import { Command } from '@commander-js/extra-typings';
import { vmBackups } from '../../crds/vmbackup.ts';
import { vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import { VERIFY_ANNOTATION } from '../../domain/labels.ts';
import { annotate } from '../annotate.ts';
import { ExitCode } from '../exit-code.ts';
import { forPrograms, outputOption } from '../output.ts';
import { checkPatience, timeoutOption } from '../patience.ts';
import { findBackup, getIfVisible } from '../read.ts';
import { watchUntilOver } from '../screen/watch.ts';
import type { Session } from '../session.ts';
import { answerTo, refusalOf, verificationLine } from '../verify/answer.ts';

/** Proves one backup, and all that it stands on. */
export const verify = (session: Session) =>
  new Command('verify')
    .summary('read a backup and its chain, and prove every byte')
    .description(
      "Has a Job read the backup's data and that of all it stands on, and compare every byte with the checksums. Ends with 1 if something " +
        'is damaged, missing, or could not be read. Damage is recorded at the repository, so that the next backup of the chain is a full.',
    )
    .argument('<backup>', 'a VMBackup, as `kubectl get tmb` lists them')
    .option('--no-wait', 'do not wait for the end')
    .addOption(timeoutOption())
    .addOption(outputOption())
    .action(async (name, { wait, timeout, output }) => {
      checkPatience({ wait, timeout });
      const cluster = await session.cluster();
      const { kube } = cluster;
      const { terminal } = session;
      const { signal } = terminal;
      const backup = await findBackup(cluster, name, signal);
      const repositoryRef = { name: backup.spec.repository };
      const repository = await getIfVisible(kube, vmBackupRepositories, repositoryRef, signal);
      const refusal = refusalOf(backup, repository);
      if (refusal !== undefined) throw new Error(refusal);
      const token = new Date(terminal.now()).toISOString();
      const asked = await annotate(kube, vmBackups, backup, { [VERIFY_ANNOTATION]: token }, signal);
      if (!wait) return session.print([`vmbackup.backup.tidemark.dev/${name} asked for a verification`]);
      const screen = { terminal, paint: session.painter() };
      const answer = answerTo(token);
      const last = await watchUntilOver(
        {
          first: asked,
          again: () => kube.get(vmBackups, asked.metadata, signal),
          line: verificationLine(token),
          isOver: (seen) => answer(seen) !== undefined,
          goesOn: `the verification goes on, and status.verification of VMBackup '${name}' will tell`,
          timeoutMs: timeout,
        },
        screen,
      );
      const { result = 'Unknown', reason, message = '', ...more } = answer(last) ?? {};
      const tone = result === 'Good' ? 'good' : 'bad';
      const word = screen.paint({ text: result, tone });
      const told = result === 'Good' ? message : `${reason}: ${message}`;
      session.print(
        forPrograms(output, { backup: name, result, reason, message, ...more }) ?? [`${word}: ${told}`],
      );
      if (result !== 'Good') session.exitCode = ExitCode.failed;
    });
