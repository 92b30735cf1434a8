import { describe, expect, test } from 'vitest';
import { chooseRepository, nameByHand } from '../../../src/cli/backup/wanted.ts';
import { repository } from '../../domain/builders.ts';
import { schedule } from '../builders.ts';

const named = (name: string, allowedNamespaces: string[] = ['*']) => {
  const like = repository();
  return { ...like, metadata: { ...like.metadata, name }, spec: { ...like.spec, allowedNamespaces } };
};
const into = (name: string, vmNames = ['db']) => {
  const { template } = schedule('any').spec;
  return schedule(`to-${name}`, { vmNames, template: { ...template, repository: name } });
};
const question = { vm: 'db', namespace: 'shop', schedules: [], repositories: [] };

describe('the repository of a backup by hand', () => {
  test.each([
    [
      'the one that its schedule uses',
      { schedules: [into('nas')], repositories: [named('a'), named('b')] },
      'nas',
    ],
    ['the one that all its schedules use', { schedules: [into('nas'), into('nas')] }, 'nas'],
    [
      'the only one that takes the namespace',
      { repositories: [named('a', ['web']), named('b', ['shop'])] },
      'b',
    ],
    [
      'not the one of a schedule for other VMs',
      { schedules: [into('x', ['web'])], repositories: [named('b')] },
      'b',
    ],
  ])('is %s', (_, places, expected) => {
    expect(chooseRepository({ ...question, ...places })).toBe(expected);
  });

  test.each([
    ['several schedules differ', { schedules: [into('b'), into('a')] }, 'name one with --repository: a, b'],
    ['several would take it', { repositories: [named('b'), named('a')] }, 'name one with --repository: a, b'],
    ['none is known', {}, "no repository is known that takes backups of namespace 'shop'"],
  ])('must be named when %s', (_, places, message) => {
    expect(() => chooseRepository({ ...question, ...places })).toThrow(message);
  });
});

test('the name of a backup by hand is the VM and the second', () => {
  expect(nameByHand('db', new Date('2026-11-23T18:04:05.678Z'))).toBe('db-20261123-180405');
  expect(nameByHand('d'.repeat(63), new Date(0)).length).toBeLessThanOrEqual(63);
});
