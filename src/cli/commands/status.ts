import { z } from 'zod';
import { virtualMachines } from '../../crds/kubevirt.ts';
import { vmBackups } from '../../crds/vmbackup.ts';
import { vmBackupSchedules } from '../../crds/vmbackupschedule.ts';
import type { Command } from '../command.ts';
import { ExitCode } from '../exit-code.ts';
import { listAll } from '../read.ts';
import { painterFor } from '../screen/style.ts';
import { statusReport } from '../status/report.ts';
import { statusLines } from '../status/screen.ts';

const Options = z
  .object({
    namespace: z.string().optional(),
    'all-namespaces': z.boolean().default(false),
    output: z.enum(['table', 'json'], "write 'table' or 'json'").default('table'),
    'exit-code': z.boolean().default(false),
    arguments: z.array(z.string()).max(0, 'status takes no arguments, only flags'),
  })
  .refine((options) => options.namespace === undefined || !options['all-namespaces'], {
    message: 'set either --namespace or --all-namespaces, not both',
  });

/** How every VM stands with its backups. */
export const status: Command<z.infer<typeof Options>> = {
  name: 'status',
  summary: 'how every VM is protected: schedules, last good backup, last failure, next run',
  usage: `kubectl tidemark status [-n NS | -A] [-o table|json] [--exit-code]

Shows every VirtualMachine: which VMBackupSchedules take it, its newest good backup, what goes on now,
its last failure, and when the next run is. VMs that nothing protects are shown, too.

  -A, --all-namespaces   all namespaces
  -o, --output FORMAT    table (default) or json
      --exit-code        exit with 1 if a VM is unprotected or has no good backup
`,
  flags: {
    'all-namespaces': { type: 'boolean', short: 'A' },
    output: { type: 'string', short: 'o' },
    'exit-code': { type: 'boolean' },
  },
  options: Options,
  async run(options, { kube, namespace }, terminal) {
    const allNamespaces = options['all-namespaces'];
    const selection = { namespace: allNamespaces ? undefined : namespace };
    const [vms, schedules, backups] = await Promise.all([
      listAll(kube, virtualMachines, selection, terminal.signal),
      listAll(kube, vmBackupSchedules, selection, terminal.signal),
      listAll(kube, vmBackups, selection, terminal.signal),
    ]);
    const now = terminal.now();
    const report = statusReport({ vms, schedules, backups }, now);
    const lines =
      options.output === 'json'
        ? [JSON.stringify({ vms: report }, null, 2)]
        : statusLines(report, { allNamespaces, paint: painterFor(terminal), now });
    terminal.stdout.write(`${lines.join('\n')}\n`);
    const isTrouble = report.some(({ needs }) => needs.length > 0);
    return options['exit-code'] && isTrouble ? ExitCode.failed : ExitCode.ok;
  },
};
