import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Aborted } from '../../../src/mover/errors.ts';
import { connectNbd } from '../../../src/mover/nbd/connection.ts';
import { readCredentials } from '../../../src/mover/nbd/credentials.ts';
import { optionReply } from '../support/fake-nbd-messages.ts';
import { type FakeDisk, type FakeServer, serveFake } from '../support/fake-nbd-server.ts';
import { content, contexts, never, reasonOf } from './rig.ts';

vi.setConfig({ testTimeout: 60_000 });

/** What may go wrong around NBD_OPT_STARTTLS, with no TLS behind it; a real server is under test/qemu. */
const START_TLS = 5;
const ack = optionReply(START_TLS, 1);

const open = (server: FakeServer, stallMilliseconds = 5000, signal = never) =>
  connectNbd({ address: server.address, contexts, stallMilliseconds }, signal);

const answering = (answer: Buffer | 'hangup'): Partial<FakeDisk> => ({
  option: (option) => (option === START_TLS ? answer : undefined),
});

/** The greeting's flags and STARTTLS: all that may be said in the clear. */
const IN_THE_CLEAR = Buffer.concat([
  Buffer.from([0, 0, 0, 3]),
  Buffer.from('IHAVEOPT'),
  Buffer.from([0, 0, 0, START_TLS, 0, 0, 0, 0]),
]);

describe('where nbds is asked for, a server', () => {
  test.each<[string, Partial<FakeDisk>, string]>([
    ['without TLS', {}, 'NbdRefused'],
    ['that forbids it', answering(optionReply(START_TLS, 0x80000002, 'not today')), 'NbdRefused'],
    ['that knows an error yet to come', answering(optionReply(START_TLS, 0x8000ffff)), 'NbdRefused'],
    ['that hangs up at it', answering('hangup'), 'NbdRefused'],
    ['before the fixed newstyle', { greeting: Buffer.from('NBDMAGICIHAVEOPT\0\0') }, 'NbdRefused'],
    [
      'that puts a word of its own behind the ACK',
      answering(Buffer.concat([ack, optionReply(7, 1)])),
      'NbdProtocolError',
    ],
    [
      'that agrees, and goes on in the clear',
      { fragmentBytes: 18, ...answering(Buffer.concat([ack, Buffer.alloc(100)])) },
      'NbdRefused|NbdProtocolError',
    ],
    ['that agrees, and falls silent', { ...answering(ack) }, 'NbdSilent'],
    [
      'that agrees, and hangs up',
      { ...answering(ack), stop: { afterBytes: 38, by: 'hangup' } },
      'NbdRefused',
    ],
  ])('%s is not told anything, and read nothing from', async (_, disk, reason) => {
    await using server = await serveFake({ content, ...disk }, 'nbds+unix');
    expect(await reasonOf(open(server, 1500))).toMatch(new RegExp(`^(${reason})$`));
    const heard = server.heard();
    expect(heard.subarray(0, IN_THE_CLEAR.length).equals(IN_THE_CLEAR.subarray(0, heard.length))).toBe(true);
    // What follows is TLS's own: a handshake record or an alert, never an option.
    const rest = heard.subarray(IN_THE_CLEAR.length);
    if (rest.length > 0) expect([0x15, 0x16]).toContain(rest[0]);
    expect(rest.includes('IHAVEOPT')).toBe(false);
    expect(heard.includes('disk')).toBe(false);
  });

  test('that falls silent in the TLS handshake is left when the signal says so', async () => {
    await using server = await serveFake({ content, ...answering(ack) }, 'nbds+unix');
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Aborted('a test')), 300);
    expect(await reasonOf(open(server, 60_000, abort.signal))).toBe('Aborted');
  });

  test('that does not offer TLS is named as such', async () => {
    await using server = await serveFake({ content }, 'nbds+unix');
    await expect(open(server)).rejects.toThrow(
      /TLS was asked for by nbds, and nothing is sent without it.*unsupported/,
    );
  });
});

describe('the directory of certificates', () => {
  let root: string;
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-pki-'));
    const script = `new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
      openssl req -x509 $new -subj /CN=x -keyout key -out cert
      openssl genpkey -algorithm ed25519 -out other`;
    execFileSync('sh', ['-ec', script], { cwd: root, stdio: 'ignore' });
  });

  /** Makes a directory of files, each a copy of another, or made of words. */
  function directory(files: Readonly<Record<string, string>>): string {
    const path = mkdtempSync(join(root, 'd-'));
    for (const [name, from] of Object.entries(files)) {
      if (from === 'a directory') mkdirSync(join(path, name));
      else if (from.includes(' ')) writeFileSync(join(path, name), from);
      else execFileSync('cp', [join(root, from), join(path, name)]);
    }
    return path;
  }

  test.each<[string, Readonly<Record<string, string>>]>([
    ['an authority alone', { 'ca-cert.pem': 'cert' }],
    ['all three', { 'ca-cert.pem': 'cert', 'client-cert.pem': 'cert', 'client-key.pem': 'key' }],
  ])('may hold %s', (_, files) => {
    expect(Object.keys(readCredentials(directory(files)))).toHaveLength(Object.keys(files).length);
  });

  test('need not be: then the authorities that Node trusts count', () => {
    expect(readCredentials(null)).toEqual({});
  });

  test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['no authority', {}, /no ca-cert.pem/],
    ['a certificate without its key', { 'ca-cert.pem': 'cert', 'client-cert.pem': 'cert' }, /go together/],
    ['a key without its certificate', { 'ca-cert.pem': 'cert', 'client-key.pem': 'key' }, /go together/],
    ['a file that cannot be read', { 'ca-cert.pem': 'a directory' }, /ca-cert.pem cannot be read/],
    [
      'words',
      { 'ca-cert.pem': 'cert', 'client-cert.pem': 'no certificate', 'client-key.pem': 'key' },
      /of no use/,
    ],
    [
      'the key of another',
      { 'ca-cert.pem': 'cert', 'client-cert.pem': 'cert', 'client-key.pem': 'other' },
      /of no use/,
    ],
  ])('with %s is refused, and named', (_, files, why) => {
    const path = directory(files);
    expect(() => readCredentials(path)).toThrow(
      expect.objectContaining({ reason: 'SourceInvalid', message: expect.stringMatching(why) }),
    );
    expect(() => readCredentials(path)).toThrow(path);
  });
});
