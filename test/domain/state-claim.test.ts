import { describe, expect, test } from 'vitest';
import type { PersistentVolumeClaim } from '../../src/crds/core.ts';
import { stateClaimOf } from '../../src/domain/state-claim.ts';
import { VM_UID, virtualMachine } from './builders.ts';

const vm = (state?: string) => ({
  ...virtualMachine,
  status: state === undefined ? {} : { changedBlockTracking: { state } },
});

function claim(changes: Partial<PersistentVolumeClaim['metadata']> = {}): PersistentVolumeClaim {
  const owner = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    name: 'db',
    uid: VM_UID,
    controller: true,
  };
  const labels = { 'persistent-state-for': 'db' };
  return {
    metadata: { name: 'persistent-state-for-db-x', uid: 's', labels, ownerReferences: [owner], ...changes },
  };
}
const owned = (uid: string, controller?: boolean) => ({
  ownerReferences: [{ apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'db', uid, controller }],
});

describe('the overlays of a stopped VM are trusted', () => {
  test('on the one claim that KubeVirt made for this very VM', () => {
    const copy = claim({ name: 'copy', ownerReferences: [] });
    expect(stateClaimOf(vm('Enabled'), [copy, claim()])?.metadata.name).toBe('persistent-state-for-db-x');
  });
});

describe('the overlays of a stopped VM are not trusted', () => {
  test.each<[string, readonly PersistentVolumeClaim[]]>([
    ['without a claim', []],
    ['on a claim of another VM that was labelled by hand', [claim(owned('another'))]],
    ['on a copy, which nobody owns', [claim({ ownerReferences: [] })]],
    ['on a claim whose controller is something else', [claim(owned(VM_UID, false))]],
    ['on a claim with the label of another VM', [claim({ labels: { 'persistent-state-for': 'web' } })]],
    ['on a claim that is being deleted', [claim({ deletionTimestamp: '2026-11-23T18:00:00Z' })]],
    ['on either of two claims', [claim(), claim({ name: 'second' })]],
  ])('%s', (_, claims) => {
    expect(stateClaimOf(vm('Enabled'), claims)).toBeUndefined();
  });

  test.each([undefined, 'Disabled', 'Initializing', 'PendingRestart'])(
    'when the VM ran last without them (%s)',
    (state) => {
      expect(stateClaimOf(vm(state), [claim()])).toBeUndefined();
    },
  );
});
