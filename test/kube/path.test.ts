import { describe, expect, test } from 'vitest';
import { keyOf, refOf } from '../../src/kube/kind.ts';
import { collectionPath, objectPath } from '../../src/kube/path.ts';
import { things } from './things.ts';

const pods = { ...things, apiVersion: 'v1', kind: 'Pod', plural: 'pods' };
const nodes = { ...pods, kind: 'Node', plural: 'nodes', namespaced: false };

describe('a path', () => {
  test.each([
    { path: collectionPath(pods, 'ns'), expected: '/api/v1/namespaces/ns/pods' },
    { path: collectionPath(pods), expected: '/api/v1/pods' },
    { path: collectionPath(nodes, 'ignored'), expected: '/api/v1/nodes' },
    { path: objectPath(nodes, { name: 'n1' }), expected: '/api/v1/nodes/n1' },
    {
      path: objectPath(things, { namespace: 'ns', name: 'a' }, 'status'),
      expected: '/apis/example.dev/v1/namespaces/ns/things/a/status',
    },
    {
      path: objectPath(things, { namespace: 'ns', name: '../../x?y' }),
      expected: '/apis/example.dev/v1/namespaces/ns/things/..%2F..%2Fx%3Fy',
    },
  ])('is $expected', ({ path, expected }) => {
    expect(path).toBe(expected);
  });

  test('is not made for a namespaced object without its namespace, or for no object', () => {
    expect(() => objectPath(things, { name: 'a' })).toThrow('namespace');
    expect(() => objectPath(things, { namespace: 'ns', name: '' })).toThrow('name');
  });

  test.each([{ namespace: 'ns', name: 'a' }, { name: 'a' }])(
    '%o has a key, and comes back from it',
    (ref) => {
      expect(refOf(keyOf(ref))).toEqual(ref);
    },
  );
});
