import { bitmapSeconds } from '../../domain/bitmap-name.ts';

/**
 * Names of what one backup leaves inside a launcher pod while it runs. They are made from the bitmap's name, so that whoever
 * finds a socket or a running job can tell whose it is, and short, because a unix socket path has at most 107 bytes.
 */
const SOCKET = /(?:^|\/)tm-(\d{1,15})\.sock$/;

/** `tm-<epoch>.sock` */
export function socketName(bitmap: string): string {
  return `tm-${epochOf(bitmap)}.sock`;
}

/** `tm-<epoch>-<target>.scratch` */
export function scratchName(bitmap: string, target: string): string {
  return `tm-${epochOf(bitmap)}-${target}.scratch`;
}

/** The bitmap behind a socket of ours; undefined for anyone else's. */
export function bitmapOfSocket(socket: string): string | undefined {
  const epoch = SOCKET.exec(socket)?.[1];
  return epoch === undefined ? undefined : `backup-${epoch}`;
}

/**
 * The second at which a checkpoint was planned: what libvirt wants as creation time when one is redefined.
 *
 * @throws TypeError for a bitmap that is none of ours.
 */
export function epochOf(bitmap: string): number {
  const seconds = bitmapSeconds(bitmap);
  if (seconds === undefined)
    throw new TypeError(`'${bitmap}' is no bitmap of ours: they are named backup-<epoch seconds>`);
  return seconds;
}
