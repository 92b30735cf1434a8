import type { Disk } from './disks.ts';

export interface DomainOptions {
  /** `<namespace>_<vmi>`. */
  readonly domain: string;
  /** The VM's firmware uuid. */
  readonly uuid: string;
  /** Bytes. */
  readonly memory: number;
  readonly disks: readonly Disk[];
  /** KubeVirt says none. A file system that refuses O_DIRECT needs writeback. */
  readonly cache: 'none' | 'writeback';
  /** Whether it boots the kernel in {@link POD_BOOT}, with a console and a guest agent's channel. */
  readonly bootsLinux: boolean;
}

/** Where the pod finds `vmlinuz` and `initrd`. */
export const POD_BOOT = '/var/run/kubevirt-private/boot';
/** Where the guest's console is written in the pod: its emptyDir `private`. */
const POD_CONSOLE = '/var/run/kubevirt-private/console.log';

/** The domain as KubeVirt defines it, without the parts no backup looks at. Emulated: needs no KVM. */
export function domainXml({ domain, uuid, memory, disks, cache, bootsLinux }: DomainOptions): string {
  return `<domain type='qemu'>
  <name>${domain}</name>
  <uuid>${uuid}</uuid>
  <metadata><kubevirt xmlns='http://kubevirt.io'><uid/></kubevirt></metadata>
  <memory unit='b'>${memory}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>${bootsLinux ? KERNEL : ''}</os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
${disks.map((disk) => diskXml(disk, cache)).join('\n')}
${bootsLinux ? LINUX_DEVICES : ''}    <controller type='usb' index='0' model='none'/>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <memballoon model='none'/>
  </devices>
</domain>
`;
}

const KERNEL = `<kernel>${POD_BOOT}/vmlinuz</kernel><initrd>${POD_BOOT}/initrd</initrd>
    <cmdline>console=ttyS0 quiet panic=-1</cmdline>`;
const LINUX_DEVICES = `    <serial type='file'><source path='${POD_CONSOLE}'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
`;

/** One disk. What is plugged into a running VM sits on the SCSI bus, as KubeVirt has it: no guest needs to let it go. */
export function diskXml(
  disk: Disk,
  cache: DomainOptions['cache'],
  bus: 'virtio' | 'scsi' = 'virtio',
): string {
  if (disk.kind === 'iso') return cdromXml(disk);
  const format = disk.kind === 'raw' ? 'raw' : 'qcow2';
  return `    <disk type='file' device='disk'>
      <driver name='qemu' type='${format}' cache='${cache}' error_policy='stop' discard='unmap'/>
      ${sourceXml(disk)}
      <target dev='${disk.target}' bus='${bus}'/>
      <alias name='ua-${disk.volume}'/>
    </disk>`;
}

function cdromXml({ podImage, target, volume }: Disk): string {
  return `    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='${podImage}'/>
      <target dev='${target}' bus='sata'/>
      <readonly/>
      <alias name='ua-${volume}'/>
    </disk>`;
}

function sourceXml({ kind, podImage, podOverlay }: Disk): string {
  if (kind !== 'cbt') return `<source file='${podImage}'/>`;
  const dataStore = `<dataStore type='file'><format type='raw'/><source file='${podImage}'/></dataStore>`;
  return `<source file='${podOverlay}'>${dataStore}</source>`;
}
