import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type GuestIo, requireConfirmed, virshLine } from './guest-io.ts';
import type { Launcher } from './launcher.ts';

/** Does the I/O of a guest, one batch at a time. */
export interface Guest {
  /** Done in order, over one connection: some milliseconds each. Throws GuestIoFailed. */
  perform(ios: readonly GuestIo[]): Promise<void>;
  /** Returns when all that was asked for is done, or has failed. */
  idle(): Promise<void>;
}

/** @param launcher gives the pod that runs the domain now; throws if there is none. */
export function guestOf(domain: string, launcher: () => Launcher): Guest {
  let last: Promise<void> = Promise.resolve();
  return {
    perform(ios) {
      const mine = last.then(() => performNow(domain, launcher(), ios));
      last = mine.catch(() => {}); // One at a time, so that each finds its own lines in the log.
      return mine;
    },
    idle: () => last,
  };
}

async function performNow(domain: string, launcher: Launcher, ios: readonly GuestIo[]): Promise<void> {
  const log = join(launcher.emptyDir('private-libvirt-qemu'), 'log', `${domain}.log`);
  await using file = await open(log, 'r');
  const { size: before } = await file.stat();
  await launcher.virshScript(ios.map((io) => virshLine(domain, io)));
  const { size: after } = await file.stat();
  const { buffer, bytesRead } = await file.read(Buffer.alloc(after - before), 0, after - before, before);
  requireConfirmed(ios, buffer.toString('utf8', 0, bytesRead));
}
