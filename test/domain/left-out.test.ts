import { describe, expect, test } from 'vitest';
import type { VirtualMachine, VirtualMachineInstance } from '../../src/crds/kubevirt.ts';
import { leftOutOf } from '../../src/domain/left-out.ts';
import { planAttempt } from '../../src/domain/plan.ts';
import { instance, NOW, VM_UID, world } from './builders.ts';

const persistent = { persistent: true };
type Spec = NonNullable<VirtualMachineInstance['spec']>;

const running = (spec: Spec): VirtualMachineInstance => ({ ...instance(), spec });
const stopped = (spec: Spec): { vm: VirtualMachine; vmi: undefined } => ({
  vm: { ...world().vm!, spec: { template: { spec } } },
  vmi: undefined,
});

describe('what a backup of a VM does not hold', () => {
  const tpm: Spec = { domain: { devices: { tpm: persistent } } };
  test.each<[string, Spec, string]>([
    ['a persistent TPM', tpm, 'the persistent TPM: '],
    [
      'EFI variables',
      { domain: { firmware: { bootloader: { efi: persistent } } } },
      'the persistent EFI variables',
    ],
    ['a disk of the node', { volumes: [{ name: 'logs', hostDisk: {} }] }, 'volume logs: a disk of the node'],
  ])('is told: %s, of a VM that runs and of one that does not', (_, spec, words) => {
    expect(leftOutOf({ vm: undefined, vmi: running(spec) })).toEqual([expect.stringContaining(words)]);
    expect(leftOutOf(stopped(spec))).toEqual([expect.stringContaining(words)]);
  });

  test('is nothing, when all is on claims and the TPM forgets with each start anyway', () => {
    const spec: Spec = {
      domain: { devices: { tpm: {} } },
      volumes: [{ name: 'root', persistentVolumeClaim: { claimName: 'db-root' } }],
    };
    expect(leftOutOf({ vm: undefined, vmi: running(spec) })).toEqual([]);
    expect(leftOutOf({ vm: undefined, vmi: undefined })).toEqual([]);
  });

  test('stands in the plan', () => {
    const planned = { attempt: 1, failedAttempts: 0, vmUid: VM_UID, nodeName: 'n1' };
    const { leftOut } = planAttempt(world({ vmi: running(tpm) }), planned, NOW);
    expect(leftOut).toEqual([expect.stringContaining('the persistent TPM')]);
    expect(planAttempt(world(), planned, NOW)).not.toHaveProperty('leftOut');
  });
});
