import { type VMBackup, vmBackups } from '../../crds/vmbackup.ts';
import { isOver, standingOf } from '../../domain/standing.ts';
import type { Cluster } from '../cluster.ts';
import { ExitCode } from '../exit-code.ts';
import type { Painter } from '../screen/style.ts';
import { watchUntilOver } from '../screen/watch.ts';
import type { Terminal } from '../terminal.ts';
import { progressLine } from './progress.ts';

/**
 * Shows how a backup comes on, until it is over. Stopping to wait stops nothing but that.
 * @throws KubeError when the API server cannot be asked, or the object is gone
 */
export async function waitFor(
  backup: VMBackup,
  { kube }: Cluster,
  timeoutMs: number | undefined,
  screen: { readonly terminal: Terminal; readonly paint: Painter },
): Promise<ExitCode> {
  const { name, namespace } = backup.metadata;
  const last = await watchUntilOver(
    {
      first: backup,
      again: () => kube.get(vmBackups, { namespace, name }, screen.terminal.signal),
      line: progressLine,
      isOver: (seen) => isOver(standingOf(seen)),
      goesOn: `the backup goes on: kubectl tidemark why -n ${namespace ?? ''} ${name}`,
      timeoutMs,
    },
    screen,
  );
  return standingOf(last).kind === 'Succeeded' ? ExitCode.ok : ExitCode.failed;
}
