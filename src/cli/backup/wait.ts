import { setTimeout as sleep } from 'node:timers/promises';
import { type VMBackup, vmBackups } from '../../crds/vmbackup.ts';
import { isOver, standingOf } from '../../domain/standing.ts';
import type { Cluster } from '../cluster.ts';
import { ExitCode } from '../exit-code.ts';
import { LiveLine } from '../screen/live-line.ts';
import type { Painter } from '../screen/style.ts';
import type { Terminal } from '../terminal.ts';
import { progressLine } from './progress.ts';

const LOOK_AGAIN_MS = 1000;

/**
 * Shows how a backup comes on, until it is over. Stopping to wait stops nothing but that.
 * @throws KubeError when the API server cannot be asked, or the object is gone
 */
export async function waitFor(
  backup: VMBackup,
  { kube }: Cluster,
  { terminal, paint }: { readonly terminal: Terminal; readonly paint: Painter },
): Promise<ExitCode> {
  const { name, namespace } = backup.metadata;
  const line = new LiveLine(terminal.stderr);
  for (let seen = backup; ; seen = await kube.get(vmBackups, { namespace, name }, terminal.signal)) {
    const standing = standingOf(seen);
    line.show(paint(progressLine(seen)));
    if (isOver(standing)) {
      line.end();
      return standing.kind === 'Succeeded' ? ExitCode.ok : ExitCode.failed;
    }
    await sleep(LOOK_AGAIN_MS, undefined, { signal: terminal.signal }).catch((cause: unknown) => {
      line.end();
      const message = `stopped waiting; the backup goes on: kubectl tidemark why -n ${namespace ?? ''} ${name}`;
      throw new Error(message, { cause });
    });
  }
}
