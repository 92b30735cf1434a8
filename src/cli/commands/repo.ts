import { Command } from '@commander-js/extra-typings';
import { vmBackups } from '../../crds/vmbackup.ts';
import { vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import { SYNC_ANNOTATION } from '../../domain/labels.ts';
import { annotate } from '../annotate.ts';
import { ExitCode } from '../exit-code.ts';
import { forPrograms, outputOption } from '../output.ts';
import { findRepository, listAll } from '../read.ts';
import { holdingsOf } from '../repo/holdings.ts';
import { importedLines, importLine, outcomeOfImport } from '../repo/import.ts';
import { holdingLines, repositoryLines } from '../repo/screen.ts';
import { summaryOf } from '../repo/summary.ts';
import { watchUntilOver } from '../screen/watch.ts';
import { backups } from './repo-backups.ts';
import type { Session } from '../session.ts';

/** What lies in the repositories. */
export const repo = (session: Session) =>
  new Command('repo')
    .summary('what lies in the repositories, and to get its objects back')
    .description(
      'Repositories: how they stand, what lies in them, and to make VMBackups again from what lies there.',
    )
    .addCommand(ls(session))
    .addCommand(backups(session))
    .addCommand(importing(session));

const ls = (session: Session) =>
  new Command('ls')
    .summary('the repositories, or what the VMs have in one of them')
    .description(
      'Shows every VMBackupRepository: ready, free space, what the last listing counted, damage. With a name: also what each VM has in ' +
        'it, by the VMBackups that you may see.',
    )
    .argument('[repository]', 'a VMBackupRepository')
    .option('--exit-code', 'exit with 1 if a repository needs someone', false)
    .addOption(outputOption())
    .action(async (name, { exitCode, output }) => {
      const { kube } = await session.cluster();
      const { signal, now } = session.terminal;
      const screen = { paint: session.painter(), now: now() };
      if (name === undefined) {
        const repositories = (await listAll(kube, vmBackupRepositories, {}, signal)).map(summaryOf);
        session.print(forPrograms(output, { repositories }) ?? repositoryLines(repositories, screen));
        if (exitCode && repositories.some(({ needs }) => needs.length > 0))
          session.exitCode = ExitCode.failed;
        return;
      }
      const repository = summaryOf(await findRepository(kube, name, signal));
      const { namespace } = session.flags;
      const vms = holdingsOf(name, await listAll(kube, vmBackups, { namespace }, signal));
      session.print(
        forPrograms(output, { repository, vms }) ?? [
          ...repositoryLines([repository], screen),
          '',
          ...holdingLines(vms, screen),
        ],
      );
      if (exitCode && repository.needs.length > 0) session.exitCode = ExitCode.failed;
    });

const importing = (session: Session) =>
  new Command('import')
    .summary('make VMBackups again from what lies in a repository')
    .description(
      'Has the repository listed now, and VMBackups made for every backup in it that has none: of this cluster, and of those that ' +
        'spec.catalogue.clusters names; into namespaces that exist and are allowed. It changes no object that is there, and no data.',
    )
    .argument('<repository>', 'a VMBackupRepository')
    .option('--no-wait', 'do not wait for the end')
    .addOption(outputOption())
    .action(async (name, { wait, output }) => {
      const { kube } = await session.cluster();
      const { terminal } = session;
      const found = await findRepository(kube, name, terminal.signal);
      const token = new Date(terminal.now()).toISOString();
      const asked = await annotate(
        kube,
        vmBackupRepositories,
        found,
        { [SYNC_ANNOTATION]: token },
        terminal.signal,
      );
      if (!wait) return session.print([`vmbackuprepository.backup.tidemark.dev/${name} asked for an import`]);
      const outcomeOf = outcomeOfImport(token, found);
      const last = await watchUntilOver(
        {
          first: asked,
          again: () => kube.get(vmBackupRepositories, { name }, terminal.signal),
          line: (seen) => importLine(seen, outcomeOf(seen)),
          isOver: (seen) => outcomeOf(seen) !== undefined,
          goesOn: `the listing goes on, and status.catalogue of VMBackupRepository '${name}' will tell`,
        },
        { terminal, paint: session.painter() },
      );
      const outcome = outcomeOf(last) ?? {};
      session.print(forPrograms(output, outcome) ?? importedLines(name, outcome));
      if (outcome.failure !== undefined) session.exitCode = ExitCode.failed;
    });
