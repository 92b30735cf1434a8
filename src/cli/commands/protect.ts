import { Command } from '@commander-js/extra-typings';
import { stringify } from 'yaml';
import { UsageError } from '../exit-code.ts';
import { scheduleFor } from '../protect/schedule.ts';
import type { Session } from '../session.ts';

/** The YAML of a schedule, for Git. */
export const protect = (session: Session) =>
  new Command('protect')
    .summary('write the YAML of a schedule, for Git or kubectl apply')
    .description(
      'Writes a VMBackupSchedule for the named VMs, or for all that a selector takes, to standard output. It changes nothing and asks ' +
        'no cluster: commit the file, or pipe it to `kubectl apply -f -`.',
    )
    .argument('[vms...]', 'VirtualMachines')
    .option('-l, --selector <selector>', "labels of the VMs, as kubectl's -l takes them, instead of names")
    .requiredOption('--repository <name>', 'the VMBackupRepository that takes the data')
    .option('--name <name>', 'the name of the schedule', 'nightly')
    .option('--schedule <cron>', 'when, as five-field cron', '0 2 * * *')
    .option('--time-zone <zone>', 'its time zone, as an IANA name (default: UTC)')
    .option('--full-every <count>', 'begin a new chain when one has so many backups', wholeNumber)
    .action((vms, options) => {
      const { namespace = 'default' } = session.flags;
      const yaml = stringify(scheduleFor({ ...options, vms, namespace }), { lineWidth: 0 });
      session.print([`---\n${yaml.trimEnd()}`]);
    });

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`'${text}' is not a whole number`);
  return Number(text);
}
