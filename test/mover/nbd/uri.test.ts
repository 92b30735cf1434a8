import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { MoverError } from '../../../src/mover/errors.ts';
import { parseNbdUri } from '../../../src/mover/nbd/uri.ts';

vi.setConfig({ testTimeout: 60_000 });

const tls = (hostName: string, certificates: string | null = null) => ({ certificates, hostName });
const tcp = (host: string, port = 10_809) => ({ host, port });

test.each([
  ['nbd+unix:///vda?socket=/run/s', { path: '/run/s' }, 'vda', null],
  ['nbd+unix:///?socket=/run/s', { path: '/run/s' }, '', null],
  ['nbd+unix://?socket=/run/s', { path: '/run/s' }, '', null],
  ['nbd+unix:/vda?socket=s', { path: 's' }, 'vda', null],
  ['nbd+unix:///a%2Fb%20c?socket=/x%20y', { path: '/x y' }, 'a/b c', null],
  ['nbd+unix:///a/../b?socket=/a+b', { path: '/a+b' }, 'a/../b', null],
  ['nbd+unix:///?socket=%00abstract', { path: '\0abstract' }, '', null],
  ['nbd+unix:///%E2%98%83?socket=/a%26b%3Dc', { path: '/a&b=c' }, '☃', null],
  ['nbd://host', tcp('host'), '', null],
  ['nbd://host/', tcp('host'), '', null],
  ['nbd://host:/vda', tcp('host'), 'vda', null],
  ['nbd://host//vda', tcp('host'), '/vda', null],
  ['NBD://host/vda', tcp('host'), 'vda', null],
  ['nbd://[::1]:99/vda', tcp('::1', 99), 'vda', null],
  ['nbd://[fe80::1%25eth0]/vda', tcp('fe80::1%eth0'), 'vda', null],
  ['nbds://host/vda', tcp('host'), 'vda', tls('host')],
  ['nbds://[::1]/vda', tcp('::1'), 'vda', tls('::1')],
  ['nbds://host:1/vda?tls-certificates=/pki', tcp('host', 1), 'vda', tls('host', '/pki')],
  ['nbds://10.0.0.1/vda?tls-hostname=node1', tcp('10.0.0.1'), 'vda', tls('node1')],
  ['nbds://host/?tls-verify-peer=1&tls-type=x509', tcp('host'), '', tls('host')],
  ['nbds+unix:///vda?socket=/s', { path: '/s' }, 'vda', tls('localhost')],
  ['nbds+unix:///vda?socket=/s&tls-hostname=n&tls-certificates=p', { path: '/s' }, 'vda', tls('n', 'p')],
])('%s is understood', (uri, connect, exportName, tls) => {
  expect(parseNbdUri(uri)).toEqual({ connect, exportName, tls, uri });
});

test.each([
  ['', 'no URI'],
  ['vda', 'no URI'],
  ['/dev/sda', 'no URI'],
  ['http://x/vda', '"http"'],
  ['nbd+vsock:///vda', '"nbd+vsock"'],
  ['nbd+unix:///vda', 'names no socket'],
  ['nbd+unix:///vda?socket=', 'names no socket'],
  ['nbd+unix://vda?socket=/s', 'three slashes'],
  [`nbd+unix:///vda?socket=/${'x'.repeat(107)}`, '107 bytes'],
  ['nbd+unix:///%zz?socket=/s', '%25'],
  ['nbd+unix:///a#b?socket=/s', '%23'],
  ['nbd+unix:///%00?socket=/s', 'NUL'],
  [`nbd://host/${'x'.repeat(4097)}`, '4096 bytes'],
  ['nbd+unix:///vda?socket=/a%00b', 'NUL'],
  ['nbd://ho%00st/vda', 'no host'],
  ['nbd+unix:///vda?socket=/s&sokcet=/t', '"sokcet"'],
  ['nbd+unix:///vda?socket=/s&socket=/t', 'twice'],
  ['nbd:///vda', 'no host'],
  ['nbd://[::1/vda', 'no host'],
  ['nbd://::1/vda', 'no host'],
  ['nbd://host:0/vda', '0 is no port'],
  ['nbd://host:65536/vda', '65536 is no port'],
  ['nbd://host:x/vda', 'no host'],
  ['nbd://me@host/vda', 'user name'],
  ['nbd://host/vda?socket=/s', 'nbd+unix'],
  ['nbd://host/vda?tls-certificates=/pki', 'needs nbds'],
  ['nbds://host/vda?tls-verify-peer=0', 'always verified'],
  ['nbds://host/vda?tls-type=psk', 'psk'],
  ['nbds://host/vda?tls-certificates=', 'no directory'],
])('"%s" is refused', (uri, why) => {
  expect(() => parseNbdUri(uri)).toThrow(
    expect.objectContaining({ reason: 'SourceInvalid', message: expect.stringContaining(why) }),
  );
});

test('any export, host and path comes through, when it is encoded', () => {
  const text = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 20 })
    .filter((s) => !/[\0\uD800-\uDFFF]/.test(s));
  fc.assert(
    fc.property(text, text, text, (name, path, certificates) => {
      const [e, p, c] = [name, path, certificates].map(encodeURIComponent);
      const address = parseNbdUri(`nbds+unix:///${e}?socket=${p}&tls-certificates=${c}`);
      expect(address).toMatchObject({ exportName: name, connect: { path }, tls: { certificates } });
    }),
  );
});

test('whatever is given, it is an address or a typed error', () => {
  const text = fc.array(
    fc.constantFrom(
      'nbd',
      's',
      '+unix',
      '://',
      '/',
      'host',
      ':',
      '1',
      '?',
      'socket=',
      '&',
      '%',
      '[',
      ']',
      '#',
      '@',
      '%00',
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        text.map((parts) => parts.join('')),
      ),
      (uri) => {
        try {
          parseNbdUri(uri);
        } catch (error) {
          expect(error).toBeInstanceOf(MoverError);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
