/**
 * Names for the numbers of the NBD protocol, as in its specification, proto.md
 * (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md), section "Values". All numbers are big-endian.
 */

export const NBD_MAGIC = 0x4e42444d41474943n; // "NBDMAGIC"
export const OPTION_MAGIC = 0x49484156454f5054n; // "IHAVEOPT"
export const OLDSTYLE_MAGIC = 0x00420281861253n;
export const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
export const EXTENDED_REQUEST_MAGIC = 0x21e41c71;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;
export const EXTENDED_REPLY_MAGIC = 0x6e8a278c;

export const HandshakeFlag = { fixedNewstyle: 1 << 0, noZeroes: 1 << 1 } as const;

export const Option = {
  startTls: 5,
  go: 7,
  structuredReply: 8,
  setMetaContext: 10,
  extendedHeaders: 11,
} as const;

export const OptionReply = { ack: 1, info: 3, metaContext: 4, errorBit: 0x80000000 } as const;

export const OptionError = {
  unsupported: 0x80000001,
  policy: 0x80000002,
  invalid: 0x80000003,
  platform: 0x80000004,
  tlsRequired: 0x80000005,
  tooBig: 0x80000009,
} as const;

/** Section "Option reply types": what a server may answer instead of what was asked for. */
export const optionErrors: ReadonlyMap<number, string> = new Map([
  [0x80000001, 'unsupported'],
  [0x80000002, 'forbidden by policy'],
  [0x80000003, 'invalid request'],
  [0x80000004, 'not supported on its platform'],
  [0x80000005, 'TLS required'],
  [0x80000006, 'no such export'],
  [0x80000007, 'shutting down'],
  [0x80000008, 'block size required'],
  [0x80000009, 'request too big'],
  [0x8000000a, 'extended headers required'],
]);

export const Info = { export: 0, blockSize: 3 } as const;

export const Command = { read: 0, disconnect: 2, blockStatus: 7 } as const;

export const ReplyFlag = { done: 1 << 0 } as const;

export const Chunk = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  blockStatusExtended: 6,
  errorBit: 1 << 15,
  errorOffset: (1 << 15) | 2,
} as const;

/** Section "Error values". */
export const errnoNames: ReadonlyMap<number, string> = new Map([
  [1, 'EPERM'],
  [5, 'EIO'],
  [12, 'ENOMEM'],
  [22, 'EINVAL'],
  [28, 'ENOSPC'],
  [75, 'EOVERFLOW'],
  [95, 'ENOTSUP'],
  [108, 'ESHUTDOWN'],
]);
export const ESHUTDOWN = 108;

/** Section "Metadata contexts": the one every server knows, and QEMU's for dirty bitmaps (qemu docs/interop/nbd.rst). */
export const BASE_ALLOCATION = 'base:allocation';
export function dirtyBitmapContext(bitmap: string): string {
  return `qemu:dirty-bitmap:${bitmap}`;
}
