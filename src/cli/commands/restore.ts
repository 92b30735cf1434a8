import { Command, Option } from '@commander-js/extra-typings';
import { vmRestores } from '../../crds/vmrestore.ts';
import { nameByHand } from '../backup/wanted.ts';
import { ExitCode, UsageError } from '../exit-code.ts';
import { forPrograms } from '../output.ts';
import { checkPatience, timeoutOption } from '../patience.ts';
import { findBackup } from '../read.ts';
import { planLines } from '../restore/plan-lines.ts';
import { restoreLine } from '../restore/progress.ts';
import { restoreFor, sourceAt, type WishedSource } from '../restore/wanted.ts';
import { watchUntilOver } from '../screen/watch.ts';
import type { Session } from '../session.ts';

/** A VM, or its disks, back. */
export const restore = (session: Session) =>
  new Command('restore')
    .summary('get a VM, or its disks, back')
    .description(
      'Creates a VMRestore of a VMBackup, or of a directory in a repository when no object tells of it any more (--from), and waits ' +
        'for it with --wait. With -o it writes the object, for Git or kubectl apply, and changes nothing.',
    )
    .argument('[backup]', 'a VMBackup, as `kubectl get tmb` lists them')
    .option('--from <repository:path>', 'instead: a backup as `kubectl tidemark repo backups` shows it')
    .option('--to <name>', 'to a new VM of this name, which is left halted')
    .option('--in-place', 'to the same VM; its disks of today stay as claims', false)
    .option('--disks', 'to claims alone', false)
    .option('--prefix <prefix>', "what their names begin with (default: 'restored-')")
    .option('--start', 'start the new VM', false)
    .option(
      '--keep-identity',
      'the new VM takes firmware UUID, serial and MAC addresses of the one that was',
      false,
    )
    .option('--stop', 'in place: stop the VM if it runs, and start it again afterwards', false)
    .option('--volume <name>', 'only this volume; may be said again', collect)
    .option(
      '--storage-class <[old=]new>',
      'another storage class than the disks had; may be said again',
      collect,
    )
    .option('--access-mode <mode>', 'another access mode than the disks had; may be said again', collect)
    .option('--volume-mode <mode>', 'Filesystem or Block, instead of what the disks had')
    .option('--without-persistent-state', 'a new VM although TPM and EFI state are in no backup', false)
    .option('--verify-first', 'prove every block of the chain before anything is touched', false)
    .option('--dry-run', 'only check and plan, and show the plan', false)
    .option('--name <name>', 'the name of the VMRestore (default: the VM and the time)')
    .addOption(
      new Option('-o, --output <format>', 'write the object instead of creating it').choices([
        'yaml',
        'json',
      ] as const),
    )
    .option('-w, --wait', 'wait until it is over; exit with 1 if it failed', false)
    .addOption(timeoutOption())
    .action(async (backup, { from, output, wait, timeout, name, ...wish }) => {
      const { terminal } = session;
      checkPatience({ wait: wait || wish.dryRun, timeout });
      const wished = await sourceOf(session, backup, from);
      // A path and a namespace are enough to write YAML where there is no cluster.
      const namespace = session.flags.namespace ?? (await session.cluster()).namespace;
      const metadata = { name: name ?? nameByHand(wished.vm, new Date(terminal.now())), namespace };
      const wanted = restoreFor(wish, wished, metadata);
      if (output !== undefined) return session.print(forPrograms(output, wanted) ?? []);
      const { kube } = await session.cluster();
      const created = await kube.create(vmRestores, wanted, terminal.signal);
      session.print([`vmrestore.backup.tidemark.dev/${metadata.name} created`]);
      if (!wait && !wish.dryRun) return;
      const paint = session.painter();
      const { status } = await watchUntilOver(
        {
          first: created,
          again: () => kube.get(vmRestores, metadata, terminal.signal),
          line: restoreLine,
          isOver: (seen) => seen.status?.completedAt !== undefined,
          goesOn: `the restore goes on: kubectl describe tmr -n ${namespace} ${metadata.name}`,
          timeoutMs: timeout,
        },
        { terminal, paint },
      );
      if (wish.dryRun && status?.plan !== undefined) session.print(planLines(status.plan, paint));
      session.exitCode = status?.phase === 'Succeeded' ? ExitCode.ok : ExitCode.failed;
    });

async function sourceOf(
  session: Session,
  backupName: string | undefined,
  from: string | undefined,
): Promise<WishedSource> {
  if (from !== undefined && backupName === undefined) return sourceAt(from);
  if (from !== undefined || backupName === undefined)
    throw new UsageError('say what to restore: name a VMBackup, or give a path with --from; not both');
  const { spec } = await findBackup(await session.cluster(), backupName, session.terminal.signal);
  return { vm: spec.vmName, source: { backupName } };
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
