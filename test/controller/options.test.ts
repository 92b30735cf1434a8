import { describe, expect, test } from 'vitest';
import { Options } from '../../src/controller/options.ts';
import { parseFlags } from '../../src/kube/flags.ts';

describe('the command line', () => {
  test('has sensible values for what is left out', () => {
    expect(parseFlags(Options, [])).toEqual({
      namespace: 'tidemark-system',
      image: expect.stringMatching(/^ghcr\.io\/tidemark\/tidemark:\d+\.\d+\.\d+/),
      'health-port': 8081,
      'log-level': 'info',
    });
  });

  test('is read', () => {
    expect(
      parseFlags(Options, [
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
    expect(() => parseFlags(Options, [flag])).toThrow();
  });
});
