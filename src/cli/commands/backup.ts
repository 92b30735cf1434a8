import { Command, Option } from '@commander-js/extra-typings';
import { vmBackups } from '../../crds/vmbackup.ts';
import { vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import { vmBackupSchedules } from '../../crds/vmbackupschedule.ts';
import { labelValue, VM_LABEL } from '../../domain/labels.ts';
import { waitFor } from '../backup/wait.ts';
import { chooseRepository, nameByHand } from '../backup/wanted.ts';
import { checkPatience, timeoutOption } from '../patience.ts';
import { listIfAllowed } from '../read.ts';
import type { Session } from '../session.ts';

/** One backup, now. */
export const backup = (session: Session) =>
  new Command('backup')
    .summary('take a backup of a VM now')
    .description(
      "Creates a VMBackup, and waits for it with --wait. The repository is the one that the VM's schedules use, or the only one that " +
        'takes backups of the namespace, unless --repository names another.',
    )
    .argument('<vm>', 'a VirtualMachine')
    .option('--full', 'a full backup, which begins a new chain', false)
    .option('--repository <name>', 'the VMBackupRepository')
    .option('--name <name>', 'the name of the VMBackup (default: the VM and the time)')
    .addOption(
      new Option(
        '--quiesce <policy>',
        'whether the file systems are frozen for the instant of the backup',
      ).choices(['IfAvailable', 'Required', 'Never']),
    )
    .option('-w, --wait', 'wait until it is over; exit with 1 if it failed', false)
    .addOption(timeoutOption())
    .action(async (vm, { full, repository, name, quiesce, wait, timeout }) => {
      checkPatience({ wait, timeout });
      const cluster = await session.cluster();
      const { kube, namespace } = cluster;
      const { terminal } = session;
      const into =
        repository ??
        chooseRepository({
          vm,
          namespace,
          schedules: await listIfAllowed(kube, vmBackupSchedules, { namespace }, terminal.signal),
          repositories: await listIfAllowed(kube, vmBackupRepositories, {}, terminal.signal),
        });
      const created = await kube.create(
        vmBackups,
        {
          metadata: {
            namespace,
            name: name ?? nameByHand(vm, new Date(terminal.now())),
            labels: { [VM_LABEL]: labelValue(vm) },
          },
          spec: { vmName: vm, repository: into, ...(full && { type: 'Full' }), ...(quiesce && { quiesce }) },
        },
        terminal.signal,
      );
      session.print([`vmbackup.backup.tidemark.dev/${created.metadata.name} created, into ${into}`]);
      if (!wait) return;
      const screen = { terminal, paint: session.painter() };
      session.exitCode = await waitFor(created, cluster, timeout, screen);
    });
