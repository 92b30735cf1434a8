import { z } from 'zod';
import { kindOf, ObjectMeta } from './api.ts';

/**
 * The few fields of KubeVirt's objects that Tidemark reads. Unknown fields pass by unread, and every
 * field that KubeVirt may leave out is optional: another project's object never fails to parse for what we do not need.
 */
const Volume = z.object({
  name: z.string(),
  persistentVolumeClaim: z.object({ claimName: z.string() }).optional(),
  dataVolume: z.object({ name: z.string() }).optional(),
  hostDisk: z.object({}).optional(),
});
export type Volume = z.infer<typeof Volume>;

const State = z.object({ persistent: z.boolean().optional() }).optional();
/** Where a VM says that it keeps more than its disks. */
const Domain = z
  .object({
    devices: z.object({ tpm: State }).optional(),
    firmware: z.object({ bootloader: z.object({ efi: State }).optional() }).optional(),
  })
  .optional()
  .catch(undefined);

export const VirtualMachine = z.object({
  metadata: ObjectMeta,
  spec: z.object({
    runStrategy: z.enum(['Always', 'RerunOnFailure', 'Manual', 'Halted', 'Once']).optional().catch(undefined),
    running: z.boolean().optional(),
    template: z.object({ spec: z.object({ domain: Domain, volumes: z.array(Volume).optional() }) }),
  }),
  status: z
    .object({
      printableStatus: z.string().optional(),
      /** Stays while the VM is stopped. */
      changedBlockTracking: z.object({ state: z.string().optional() }).optional(),
    })
    .optional(),
});
export type VirtualMachine = z.infer<typeof VirtualMachine>;

export const virtualMachines = kindOf(
  { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', plural: 'virtualmachines', namespaced: true },
  VirtualMachine,
);

export const VirtualMachineInstance = z.object({
  metadata: ObjectMeta,
  spec: z.object({ domain: Domain, volumes: z.array(Volume).optional() }).optional(),
  status: z
    .object({
      phase: z.string().optional(),
      nodeName: z.string().optional(),
      activePods: z.record(z.string(), z.string()).optional(),
      evacuationNodeName: z.string().optional(),
      migrationState: z
        .object({
          completed: z.boolean().optional(),
          failed: z.boolean().optional(),
          targetPod: z.string().optional(),
        })
        .optional(),
      changedBlockTracking: z
        .object({
          state: z.string().optional(),
          backupStatus: z.object({ backupName: z.string().optional() }).optional(),
        })
        .optional(),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).optional(),
    })
    .optional(),
});
export type VirtualMachineInstance = z.infer<typeof VirtualMachineInstance>;

export const virtualMachineInstances = kindOf(
  {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    plural: 'virtualmachineinstances',
    namespaced: true,
  },
  VirtualMachineInstance,
);
