import type { Logger } from 'pino';
import type { BackupSettings } from '../../crds/backup-settings.ts';
import type { VirtualMachineInstance } from '../../crds/kubevirt.ts';
import type { Plan, VMBackup } from '../../crds/vmbackup.ts';
import type { GuestLimits } from '../../domain/guest-first.ts';
import type { Kube } from '../../kube/client.ts';
import type { PodPaths } from '../launcher.ts';
import type { Domain } from '../libvirt/domain.ts';
import type { Virsh } from '../libvirt/virsh.ts';
import type { Mover } from '../mover-process/mover.ts';
import type { Report } from './report.ts';

/** One attempt of one backup: what all its steps share. */
export interface Attempt {
  readonly backup: VMBackup;
  readonly plan: Plan;
  readonly quiesce: BackupSettings['quiesce'];
  readonly report: Report;
  readonly mover: Mover;
  readonly kube: Kube;
  readonly limits: GuestLimits;
  /** Bytes per second. */
  readonly bandwidthLimit: number | undefined;
  readonly now: () => Date;
  readonly log: Logger;
}

/** The VM as it runs on this node: its instance, its launcher pod's paths, its domain. */
export interface RunningVm {
  readonly vmi: VirtualMachineInstance;
  readonly paths: PodPaths;
  readonly virsh: Virsh;
  readonly domain: Domain;
  /** Whether its pod is being deleted: a job that runs may end, none may begin. */
  readonly terminating: boolean;
}
