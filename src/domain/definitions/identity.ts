import { z } from 'zod';

const Firmware = z.object({
  uuid: z.string().optional(),
  serial: z.string().optional(),
  bootloader: z.object({ efi: z.object({ persistent: z.boolean().optional() }).optional() }).optional(),
});
const Domain = z.object({
  firmware: Firmware.optional(),
  devices: z
    .object({
      tpm: z.object({ persistent: z.boolean().optional() }).optional(),
      interfaces: z.array(z.object({ name: z.string(), macAddress: z.string().optional() })).optional(),
    })
    .optional(),
});
const Instance = z.object({
  spec: z.object({ domain: Domain.optional() }).optional(),
  status: z
    .object({
      interfaces: z.array(z.object({ name: z.string().optional(), mac: z.string().optional() })).optional(),
    })
    .optional(),
});
const Machine = z.object({ spec: z.object({ template: Instance.optional() }) });

/** What guest and network know a VM by. */
export interface Identity {
  readonly firmware?: { readonly uuid?: string; readonly serial?: string };
  /** By the interface's name. */
  readonly macAddresses?: Readonly<Record<string, string>>;
}

/**
 * Reads it from the instance, because KubeVirt makes up what the VM leaves open; a VM that does not run has only what its own
 * definition says.
 */
export function identityOf(machine: unknown, instance: unknown): Identity {
  const { domain, status } = effective(machine, instance);
  const { uuid, serial } = domain?.firmware ?? {};
  const asked = (domain?.devices?.interfaces ?? []).map(({ name, macAddress }) => ({
    name,
    mac: macAddress,
  }));
  const macs = [...asked, ...(status?.interfaces ?? [])].flatMap(({ name, mac }) =>
    name && mac ? [[name, mac] as const] : [],
  );
  return {
    ...((uuid ?? serial) && { firmware: { ...(uuid && { uuid }), ...(serial && { serial }) } }),
    ...(macs.length > 0 && { macAddresses: Object.fromEntries(macs) }),
  };
}

/** Whether the VM keeps TPM or EFI state on KubeVirt's own claim, which a backup of its disks does not hold. */
export function persistentStateOf(
  machine: unknown,
  instance: unknown,
): { readonly tpm: boolean; readonly efi: boolean } {
  const { domain } = effective(machine, instance);
  return {
    tpm: domain?.devices?.tpm?.persistent ?? false,
    efi: domain?.firmware?.bootloader?.efi?.persistent ?? false,
  };
}

function effective(machine: unknown, instance: unknown) {
  const running = Instance.safeParse(instance);
  const { spec, status } = running.success
    ? running.data
    : (Machine.safeParse(machine).data?.spec.template ?? {});
  return { domain: spec?.domain, status };
}
