import { createHash } from 'node:crypto';
import type { Definitions } from '../../domain/restore/inspection.ts';

/** Source: kubevirt, pkg/virt-controller/watch/vm/firmware.go (`magicUUID`). */
const NAMESPACE = '6a1a24a1-4061-4607-8bf4-a3963d0c5895';

/**
 * What is known of a VM, with the firmware UUID that its guest knew it by where nothing tells it: before KubeVirt wrote a random one into
 * each VM, it made one of the VM's name, version 5 (RFC 9562), whenever it started it.
 */
export function withFirmwareUuid(definitions: Definitions): Definitions {
  const { virtualMachine, identity } = definitions;
  const said = identity?.firmware?.uuid ?? virtualMachine.spec.template.spec.domain?.firmware?.['uuid'];
  if (said !== undefined) return definitions;
  const firmware = { ...identity?.firmware, uuid: legacyFirmwareUuid(virtualMachine.metadata.name) };
  return { ...definitions, identity: { ...identity, firmware } };
}

function legacyFirmwareUuid(vmName: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(NAMESPACE.replaceAll('-', ''), 'hex'))
    .update(vmName)
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
