import { describe, expect, test } from 'vitest';
import { newRevisions } from '../../../src/domain/restore/revisions.ts';
import { inspection, newVM, restore, UID, withRevisions } from './builders.ts';

describe('the revisions of a restored VM', () => {
  test('hold what the backup holds, under names of their own, and only labels that KubeVirt reads', () => {
    const [instancetype, preference] = newRevisions(restore(newVM), withRevisions().definitions);
    expect(instancetype).toEqual({
      metadata: {
        namespace: 'shop',
        name: 'db-2-instancetype-dddddddd',
        labels: { 'instancetype.kubevirt.io/object-name': 'large', 'backup.tidemark.dev/restore': UID },
      },
      data: { spec: { of: 'large' } },
      revision: 0,
    });
    expect(preference?.metadata.name).toBe('db-2-preference-dddddddd');
  });

  test('are none of a VM that names one that the backup does not hold', () => {
    expect(newRevisions(restore(newVM), inspection().definitions)).toEqual([]);
    const found = withRevisions().definitions;
    const others = { ...found, controllerRevisions: found.controllerRevisions?.slice(1) };
    expect(newRevisions(restore(newVM), others).map(({ data }) => data)).toEqual([{ spec: { of: 'linux' } }]);
  });

  test('have names that fit, however long the name of the VM is', () => {
    const long = { newVM: { ...newVM.newVM, name: 'x'.repeat(63) } };
    const names = newRevisions(restore(long), withRevisions().definitions).map(
      ({ metadata }) => metadata.name,
    );
    expect(new Set(names).size).toBe(2);
    for (const name of names) expect(name.length).toBeLessThanOrEqual(63);
  });
});
