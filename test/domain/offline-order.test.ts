import { assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type OfflineOrder,
  orderFromEnvironment,
  orderToEnvironment,
} from '../../src/domain/offline-order.ts';
import { plan } from './builders.ts';

const orderOf = (content: string): OfflineOrder => ({
  backup: { name: 'b', namespace: 'shop', uid: 'u', vmName: 'db' },
  plan: plan(),
  definitions: { vmUid: 'vm', objects: {}, files: [{ name: 'vm.yaml', content }] },
  disks: [],
  overlays: null,
  repository: '/mnt/repository',
});

/** What the kubelet makes of a value: k8s.io/kubernetes/third_party/forked/golang/expansion, with no variable known. */
function expanded(value: string): string {
  return value.replaceAll(/\$(\$|\([^)]*\)|[^])?/g, (all, next: string | undefined) => {
    if (next === '$') return '$';
    return next !== undefined && next.charCodeAt(0) > 127 ? '$?' : all;
  });
}

/** What comes out of protobuf and Go's JSON: half a character does not. */
const carried = (value: string): string => expanded(value).toWellFormed();

const throughKubernetes = (order: OfflineOrder): OfflineOrder =>
  orderFromEnvironment(
    Object.fromEntries(
      Object.entries(orderToEnvironment(order)).map(([name, value]) => [name, carried(value)]),
    ),
  );

describe('the order of a stopped VM, as its Job reads it', () => {
  test.each(['echo $$ > /run/pid', '$(HOME) $$(HOME)', 'price: 5 $é', String.raw`\$ \\$$ "$"`])(
    'holds %s as it was',
    (content) => {
      expect(throughKubernetes(orderOf(content))).toEqual(orderOf(content));
    },
  );

  test('holds any text as it was', () => {
    const text = string({ unit: constantFrom('$', '(', ')', '\\', '"', 'A', 'é', '💾') });
    assert(
      property(text, (content) => {
        expect(throughKubernetes(orderOf(content))).toEqual(orderOf(content));
      }),
    );
  });

  test.each([0, 1])('is never cut within a character (%i)', (shift) => {
    const order = orderOf('x'.repeat(shift) + '💾'.repeat(40_000));
    expect(Object.keys(orderToEnvironment(order)).length).toBeGreaterThan(1);
    expect(throughKubernetes(order)).toEqual(order);
  });
});
