/**
 * What a guest does to a disk. Offsets and lengths in bytes, multiples of 512. A discard is a wish: of a cbt disk only
 * whole clusters are discarded, the rest keeps its data.
 */
export type GuestIo =
  | ({ readonly op: 'write'; readonly pattern: number } & Range)
  | ({ readonly op: 'writeZeroes' } & Range)
  | ({ readonly op: 'discard' } & Range)
  | { readonly op: 'flush'; readonly volume: string };

interface Range {
  readonly volume: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * The virsh line that does it through the disk's own BlockBackend, as the guest's driver would: bitmaps get dirty,
 * scratch files get the old data.
 */
export function virshLine(domain: string, io: GuestIo): string {
  const device = `/machine/peripheral/ua-${io.volume}/virtio-backend`;
  return `qemu-monitor-command ${domain} --hmp 'qemu-io -d ${device} "${qemuIoCommand(io)}"'`;
}

function qemuIoCommand(io: GuestIo): string {
  if (io.op === 'flush') return 'flush';
  const range = `${io.offset} ${io.length}`;
  if (io.op === 'discard') return `discard ${range}`;
  return io.op === 'write' ? `write -P ${io.pattern} ${range}` : `write -z ${range}`;
}

/** What qemu-io prints into QEMU's log once it has done it; nothing for a flush. */
export function confirmation(io: GuestIo): string | undefined {
  if (io.op === 'flush') return undefined;
  const verb = io.op === 'discard' ? 'discard' : 'wrote';
  return `${verb} ${io.length}/${io.length} bytes at offset ${io.offset}`;
}

/** A guest's write did not happen. */
export class GuestIoFailed extends Error {
  readonly reason = 'GuestIoFailed';

  constructor(io: GuestIo, log: string) {
    super(`${JSON.stringify(io)} was not confirmed by QEMU, which said: ${log.trim() || 'nothing'}`);
    this.name = 'GuestIoFailed';
  }
}

/**
 * Checks that QEMU's log confirms each of these, in this order. The monitor gives no result back: the log is the
 * only witness. A flush that fails leaves a line of its own.
 */
export function requireConfirmed(ios: readonly GuestIo[], log: string): void {
  let from = 0;
  for (const io of ios) {
    const expected = confirmation(io);
    if (expected === undefined) continue;
    const at = log.indexOf(expected, from);
    if (at < 0) throw new GuestIoFailed(io, log);
    from = at + expected.length;
  }
  const flush = ios.find(({ op }) => op === 'flush');
  if (flush && /failed|error|not found/i.test(log)) throw new GuestIoFailed(flush, log);
}
