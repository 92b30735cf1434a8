import type { Pod } from '../../crds/core.ts';
import type { VirtualMachineInstance } from '../../crds/kubevirt.ts';
import { chooseLauncherPod, podPaths } from '../launcher.ts';
import { domainName, readDomain } from '../libvirt/domain.ts';
import { isRefusal } from '../libvirt/errors.ts';
import { connectVirsh } from '../libvirt/virsh.ts';
import type { RunningVm } from './attempt.ts';
import { AttemptFailed } from './attempt-failed.ts';

/** What the node's caches know of one VM. */
export interface VmObjects {
  readonly vmi: VirtualMachineInstance | undefined;
  readonly pods: readonly Pod[];
}

/**
 * Finds the VM in its launcher pod on this node.
 *
 * @throws AttemptFailed when it does not run here (any more): the next attempt is planned for where it runs then.
 */
export async function findVm(
  objects: VmObjects,
  node: { readonly nodeName: string; readonly podsDir: string },
  signal: AbortSignal,
): Promise<RunningVm> {
  const { vmi, pods } = objects;
  if (vmi === undefined) throw new AttemptFailed('VMNotRunning', 'The VM was stopped.');
  const choice = chooseLauncherPod(vmi, pods, node.nodeName);
  if (!choice.found) throw new AttemptFailed(choice.reason, choice.message);
  const terminating = choice.pod.metadata.deletionTimestamp !== undefined;
  const paths = podPaths(node.podsDir, choice.podUid);
  const virsh = connectVirsh({ socket: paths.libvirtSocket });
  const name = domainName(vmi.metadata.namespace ?? '', vmi.metadata.name);
  try {
    const domain = await readDomain(virsh, name, signal);
    if (domain.state === 'running' || domain.state === 'paused')
      return { vmi, paths, virsh, domain, terminating };
    throw new AttemptFailed(
      'VMNotRunning',
      `The domain ${name} is '${domain.state}'; only a running VM can be backed up.`,
    );
  } catch (error) {
    if (!isRefusal(error, 'DomainNotFound')) throw error;
    throw new AttemptFailed(
      'VMNotRunning',
      `The launcher pod has no domain ${name}: the VM starts or stops.`,
      { cause: error },
    );
  }
}
