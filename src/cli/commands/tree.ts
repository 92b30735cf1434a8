import { Command } from '@commander-js/extra-typings';
import { virtualMachines } from '../../crds/kubevirt.ts';
import { vmBackups } from '../../crds/vmbackup.ts';
import { forPrograms, outputOption } from '../output.ts';
import { getIfVisible, listAll } from '../read.ts';
import type { Session } from '../session.ts';
import { treeOf } from '../tree/chains.ts';
import { treeLines } from '../tree/screen.ts';

/** The chains of one VM, drawn. */
export const tree = (session: Session) =>
  new Command('tree')
    .summary("a VM's chains, drawn: what stands on what, sizes, reasons")
    .description(
      'Draws the backups of one VirtualMachine, repository by repository and chain by chain: each full, the incrementals that stand ' +
        'on it, how much each stores, and why it is what it is. Backups without data stand below.',
    )
    .argument('<vm>', 'a VirtualMachine; one that is gone, too, as long as backups tell of it')
    .addOption(outputOption())
    .action(async (vm, { output }) => {
      const { kube, namespace } = await session.cluster();
      const { signal, now } = session.terminal;
      const [backups, machine] = await Promise.all([
        listAll(kube, vmBackups, { namespace }, signal),
        getIfVisible(kube, virtualMachines, { namespace, name: vm }, signal),
      ]);
      const drawn = treeOf(vm, namespace, backups, machine?.metadata.uid);
      session.print(forPrograms(output, drawn) ?? treeLines(drawn, { paint: session.painter(), now: now() }));
    });
