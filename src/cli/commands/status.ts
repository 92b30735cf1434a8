import { Command } from '@commander-js/extra-typings';
import { virtualMachines } from '../../crds/kubevirt.ts';
import { vmBackups } from '../../crds/vmbackup.ts';
import { vmBackupSchedules } from '../../crds/vmbackupschedule.ts';
import { ExitCode, UsageError } from '../exit-code.ts';
import { forPrograms, outputOption } from '../output.ts';
import { listAll } from '../read.ts';
import type { Session } from '../session.ts';
import { statusReport } from '../status/report.ts';
import { statusLines } from '../status/screen.ts';

/** How every VM stands with its backups. */
export const status = (session: Session) =>
  new Command('status')
    .summary('how every VM is protected, what is not, and when the next run is')
    .description(
      'Shows every VirtualMachine: which VMBackupSchedules take it, its newest good backup, what goes on now, its last failure, ' +
        'and when the next run is. VMs that nothing protects are shown, too.',
    )
    .option('-A, --all-namespaces', 'all namespaces', false)
    .option('--exit-code', 'exit with 1 if a VM is unprotected or has no good backup', false)
    .addOption(outputOption())
    .action(async ({ allNamespaces, exitCode, output }) => {
      if (allNamespaces && session.flags.namespace !== undefined)
        throw new UsageError('set either --namespace or --all-namespaces, not both');
      const { kube, namespace } = await session.cluster();
      const selection = { namespace: allNamespaces ? undefined : namespace };
      const { signal } = session.terminal;
      const [vms, schedules, backups] = await Promise.all([
        listAll(kube, virtualMachines, selection, signal),
        listAll(kube, vmBackupSchedules, selection, signal),
        listAll(kube, vmBackups, selection, signal),
      ]);
      const now = session.terminal.now();
      const vmStatuses = statusReport({ vms, schedules, backups }, now);
      session.print(
        forPrograms(output, { vms: vmStatuses }) ??
          statusLines(vmStatuses, { allNamespaces, paint: session.painter(), now }),
      );
      const isTrouble = vmStatuses.some(({ needs }) => needs.length > 0);
      if (exitCode && isTrouble) session.exitCode = ExitCode.failed;
    });
