import { describe, expect, test } from 'vitest';
import { parseOptions } from '../../src/controller/options.ts';

describe('the command line', () => {
  test('has sensible values for what is left out', () => {
    expect(parseOptions([])).toEqual({
      namespace: 'tidemark-system',
      'health-port': 8081,
      'log-level': 'info',
    });
  });

  test('is read', () => {
    expect(
      parseOptions(['--kubeconfig', '/k', '--namespace=n', '--health-port=0', '--log-level=debug']),
    ).toEqual({
      kubeconfig: '/k',
      namespace: 'n',
      'health-port': 0,
      'log-level': 'debug',
    });
  });

  test.each([
    ['--health-port=http'],
    ['--health-port=70000'],
    ['--namespace='],
    ['--log-level=loud'],
    ['--unknown=1'],
    ['stray'],
  ])('refuses %s', (flag) => {
    expect(() => parseOptions([flag])).toThrow();
  });
});
