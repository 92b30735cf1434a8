import { Command } from '@commander-js/extra-typings';
import { UsageError } from '../exit-code.ts';
import { forPrograms, outputOption } from '../output.ts';
import { timeoutOption } from '../patience.ts';
import { listBackups } from '../repo/backups.ts';
import { backupLines } from '../repo/backups-screen.ts';
import type { Session } from '../session.ts';

/** Every single backup, with or without an object. */
export const backups = (session: Session) =>
  new Command('backups')
    .summary('every single backup in a repository, with or without a VMBackup')
    .description(
      'Has the repository itself read, by a Job, and shows every backup in it that is of the namespace, or that restoreGrants lets it ' +
        'restore. It asks by a VMBackupListing, which it removes again.',
    )
    .argument('<repository>', 'a VMBackupRepository')
    .option('--vm <name>', 'only backups of VMs of this name')
    .option('-A, --all-namespaces', 'of all namespaces and clusters; asks where Tidemark runs', false)
    .option('--system-namespace <namespace>', 'where Tidemark runs', 'tidemark-system')
    .addOption(timeoutOption())
    .addOption(outputOption())
    .action(async (repository, { vm, allNamespaces, systemNamespace, timeout, output }) => {
      if (allNamespaces && session.flags.namespace !== undefined)
        throw new UsageError('set either --namespace or --all-namespaces, not both');
      const cluster = await session.cluster();
      const namespace = allNamespaces ? systemNamespace : cluster.namespace;
      const { terminal } = session;
      const paint = session.painter();
      const found = await listBackups(
        cluster.kube,
        { repository, namespace, vmName: vm, timeoutMs: timeout },
        { terminal, paint },
      );
      const screen = { paint, now: terminal.now() };
      session.print(
        forPrograms(output, { repository, backups: found }) ?? backupLines(repository, found, screen),
      );
    });
