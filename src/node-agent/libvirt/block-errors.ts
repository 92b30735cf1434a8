import type { Virsh } from './virsh.ts';

/** A disk on which QEMU stopped the guest. */
export interface BlockError {
  /** `vda` */
  readonly target: string;
  readonly error: 'noSpace' | 'unspecified';
}

/**
 * The disks in error, of a guest that is paused for it. Read the state first: QEMU goes on to tell the last error of a
 * guest that runs again.
 */
export async function readBlockErrors(
  virsh: Virsh,
  domain: string,
  signal?: AbortSignal,
): Promise<readonly BlockError[]> {
  return parseBlockErrors(await virsh(['domblkerror', domain], {}, signal));
}

/** Parses `domblkerror`: a line `vda: no space` for each disk, or `No errors found`. */
export function parseBlockErrors(text: string): readonly BlockError[] {
  return [...text.matchAll(/^(\S+): (.+)$/gm)].map(([, target = '', error]) => ({
    target,
    error: error?.trim() === 'no space' ? 'noSpace' : 'unspecified',
  }));
}
