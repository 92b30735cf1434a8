import { describe, expect, test } from 'vitest';
import { bitmapOfSocket, epochOf, scratchName, socketName } from '../../../src/node-agent/job/names.ts';
import { assertSocketPathFits, podPaths } from '../../../src/node-agent/launcher.ts';

describe('names inside a launcher pod', () => {
  test('a socket tells whose it is', () => {
    expect(socketName('backup-1763900000')).toBe('tm-1763900000.sock');
    expect(bitmapOfSocket('/var/run/kubevirt/sockets/tm-1763900000.sock')).toBe('backup-1763900000');
  });

  test.each(['/var/run/kubevirt/sockets/backup-nbd-sock', '/tmp/atm-17.sock', 'tm-.sock', 'tm-17.sock.old'])(
    '%s is nobody of ours',
    (socket) => {
      expect(bitmapOfSocket(socket)).toBeUndefined();
    },
  );

  test('each disk has a scratch file of its own', () => {
    expect(scratchName('backup-17', 'vda')).toBe('tm-17-vda.scratch');
  });

  test('a foreign checkpoint is refused', () => {
    expect(() => epochOf('kbk-1')).toThrow("'kbk-1' is no bitmap of ours");
  });

  test('the socket fits into a unix address under /pods', () => {
    const paths = podPaths('/pods', '3c8a2a3e-5d0f-4c2b-9f0e-0123456789ab');
    expect(() =>
      assertSocketPathFits(`${paths.sockets.outside}/${socketName('backup-9999999999')}`),
    ).not.toThrow();
  });
});
