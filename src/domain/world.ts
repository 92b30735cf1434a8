import type { VirtualMachine, VirtualMachineInstance, Volume } from '../crds/kubevirt.ts';
import type { VMBackup } from '../crds/vmbackup.ts';
import type { VMBackupRepository } from '../crds/vmbackuprepository.ts';
import type { Contender } from './admission/contender.ts';
import type { Agent } from './agent-report.ts';

/** All that the decision on one VMBackup looks at: plain data, as the cluster had it at one instant. */
export interface World {
  readonly backup: VMBackup;
  readonly vm: VirtualMachine | undefined;
  readonly vmi: VirtualMachineInstance | undefined;
  /** PersistentVolumeClaims of the namespace, at least those of the VM. */
  readonly claims: readonly { readonly metadata: { readonly name: string; readonly uid: string } }[];
  readonly repository: VMBackupRepository | undefined;
  /** VMBackups of the namespace; those of other VMs are passed over, and the backup itself may be among them. */
  readonly backups: readonly VMBackup[];
  readonly agents: readonly Agent[];
  /** Everyone who runs or waits for a turn in any repository; the backup itself among them. */
  readonly contenders: readonly Contender[];
  /** UID of the namespace kube-system: names the cluster in the repository. */
  readonly clusterId: string;
}

/** The node where the VM runs; undefined if it does not run. */
export function runningOn(vmi: VirtualMachineInstance | undefined): string | undefined {
  if (vmi?.metadata.deletionTimestamp !== undefined || vmi?.status?.phase !== 'Running') return undefined;
  return vmi.status.nodeName;
}

/**
 * Whether nobody uses the VM's disks, nor is about to: it is there, has no instance, and KubeVirt says `Stopped`. One that is to run
 * has no instance either for a moment, when it is made and whenever it is restarted.
 */
export function isStopped({ vm, vmi }: Pick<World, 'vm' | 'vmi'>): boolean {
  if (vm === undefined || vm.metadata.deletionTimestamp !== undefined || vmi !== undefined) return false;
  const { spec, status } = vm;
  const isToRun = spec.runStrategy === 'Always' || spec.running === true;
  return (status?.printableStatus ?? (isToRun ? 'Starting' : 'Stopped')) === 'Stopped';
}

/** The volumes of the VM as it runs; a volume that was plugged in is only there. */
export function volumesOf({ vm, vmi }: Pick<World, 'vm' | 'vmi'>): readonly Volume[] {
  return vmi?.spec?.volumes ?? vm?.spec.template.spec.volumes ?? [];
}
