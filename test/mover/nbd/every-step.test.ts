import { describe, expect, test, vi } from 'vitest';
import { Aborted } from '../../../src/mover/errors.ts';
import { connectNbd } from '../../../src/mover/nbd/connection.ts';
import { type FakeDisk, serveFake } from '../support/fake-nbd-server.ts';
import { allData, content, contexts, reasonOf, withFake } from './rig.ts';

vi.setConfig({ testTimeout: 60_000 });

/** A whole conversation: opening, a read, a block status. Tells how each part ended. */
async function converse(
  disk: Partial<FakeDisk>,
  stallMilliseconds: number,
  signal = new AbortController().signal,
) {
  await using server = await serveFake({ content, contexts: allData, ...disk });
  const connecting = connectNbd({ address: server.address, contexts, stallMilliseconds }, signal);
  const opened = await reasonOf(connecting);
  if (opened !== 'no error') return { opened, sent: server.bytesSent() };
  const connection = await connecting;
  const sentToOpen = server.bytesSent();
  const read = await reasonOf(connection.read(0, Buffer.alloc(64)));
  const status = await reasonOf(connection.blockStatus(0, 65536));
  await connection.close();
  return { opened, read, status, sentToOpen, sent: server.bytesSent() };
}

/** Each place, or each `step`th: a thousand conversations take their time. */
function places<T>(end: number, step: number, each: (at: number) => T): T[] {
  return Array.from({ length: Math.ceil(end / step) }, (_, index) => each(index * step));
}

describe.each(['simple', 'structured', 'extended'] as const)('with %s replies', (framing) => {
  const disk: Partial<FakeDisk> = framing === 'simple' ? { framing, contexts: {} } : { framing };

  const step = framing === 'extended' ? 1 : 3;

  test('a server that hangs up after any byte is NbdRefused, or NbdGone once the export is open', async () => {
    const whole = await converse(disk, 10_000);
    expect(whole).toMatchObject({ opened: 'no error', read: 'no error', status: 'no error' });
    const all = await Promise.all(
      places(whole.sent, step, (afterBytes) =>
        converse({ ...disk, stop: { afterBytes, by: 'hangup' } }, 30_000),
      ),
    );
    all.forEach(({ opened, read, status }, index) => {
      const afterBytes = index * step;
      const ends = afterBytes < whole.sentToOpen! ? [opened] : [read, status];
      const reason = afterBytes < whole.sentToOpen! ? 'NbdRefused' : 'NbdGone';
      expect(ends, `after ${afterBytes} bytes`).toContain(reason);
      expect(ends, `after ${afterBytes} bytes`).not.toContain('NbdProtocolError');
    });
  });

  test('a server that falls silent anywhere is NbdSilent', async () => {
    const whole = await converse(disk, 10_000);
    const all = await Promise.all(
      places(whole.sent, 5, (afterBytes) => converse({ ...disk, stop: { afterBytes, by: 'silence' } }, 1500)),
    );
    for (const { opened, read, status } of all) expect([opened, read, status]).toContain('NbdSilent');
  });

  test('an abort ends it with its own reason, wherever it waits', async () => {
    const whole = await converse(disk, 10_000);
    const all = await Promise.all(
      places(whole.sent, 5, async (afterBytes) => {
        const abort = new AbortController();
        setTimeout(() => abort.abort(new Aborted('a test')), 1000);
        return await converse({ ...disk, stop: { afterBytes, by: 'silence' } }, 30_000, abort.signal);
      }),
    );
    for (const { opened, read, status } of all) expect([opened, read, status]).toContain('Aborted');
  });
});

test('a server that opens the export a byte at a time, slower than the deadline, is NbdSilent', async () => {
  await using server = await serveFake({
    content,
    contexts: allData,
    fragmentBytes: 1,
    fragmentMilliseconds: 20,
  });
  const opening = connectNbd(
    { address: server.address, contexts, stallMilliseconds: 400 },
    new AbortController().signal,
  );
  await expect(opening).rejects.toMatchObject({
    reason: 'NbdSilent',
    message: expect.stringContaining('has not opened the export within 400 ms'),
  });
});

test('a server that answers slowly but steadily is not given up', async () => {
  const disk = { content: content.subarray(0, 1024), contexts: {}, fragmentMilliseconds: 40 };
  const connected = withFake(
    { ...disk, fragmentBytes: 128 },
    async (connection) => {
      const bytes = Buffer.alloc(1024);
      await connection.read(0, bytes);
      return bytes;
    },
    1000,
  );
  expect((await connected).equals(content.subarray(0, 1024))).toBe(true);
});

test('an abort before, and while, the server is being connected to', async () => {
  await using server = await serveFake({ content, greeting: null });
  const options = { address: server.address, contexts, stallMilliseconds: 10_000 };
  expect(await reasonOf(connectNbd(options, AbortSignal.abort(new Aborted('before'))))).toBe('Aborted');
  const abort = new AbortController();
  const connecting = reasonOf(connectNbd(options, abort.signal));
  abort.abort(new Aborted('meanwhile'));
  expect(await connecting).toBe('Aborted');
});
