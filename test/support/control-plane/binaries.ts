import { fileURLToPath } from 'node:url';
import { ControlPlaneError } from './errors.ts';
import { run } from './run.ts';

const setup = fileURLToPath(new URL('../../../hack/setup/control-plane.sh', import.meta.url));

/**
 * The directory with etcd, kube-apiserver, kube-controller-manager and kubectl. The set-up script knows where; so
 * that it is said in one place, it is asked.
 *
 * @throws ControlPlaneError `BinariesMissing`, naming what is missing, where, and the command that brings it.
 */
export async function findBinaries(): Promise<string> {
  try {
    return (await run(setup, ['where'])).trim();
  } catch (cause) {
    throw new ControlPlaneError('BinariesMissing', cause instanceof Error ? cause.message : String(cause), {
      cause,
    });
  }
}
