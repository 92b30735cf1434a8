import { describe, expect, test } from 'vitest';
import { parseOptions } from '../../src/controller/options.ts';

describe('the command line', () => {
  test('has sensible values for what is left out', () => {
    expect(parseOptions([])).toEqual({
      namespace: 'tidemark-system',
      image: expect.stringMatching(/^ghcr\.io\/tidemark\/tidemark:\d+\.\d+\.\d+/),
      'health-port': 8081,
      'log-level': 'info',
    });
  });

  test('is read', () => {
    expect(
      parseOptions([
        '--kubeconfig',
        '/k',
        '--namespace=n',
        '--image=here/tidemark@sha256:1',
        '--health-port=0',
        '--log-level=debug',
      ]),
    ).toEqual({
      kubeconfig: '/k',
      image: 'here/tidemark@sha256:1',
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
