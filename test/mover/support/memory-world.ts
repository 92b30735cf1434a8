import { PassThrough, Writable } from 'node:stream';
import type { World } from '../../../src/mover/world.ts';

/** A command's outside, all in memory. */
export function memoryWorld(): { readonly world: World; readonly output: () => string } {
  const chunks: string[] = [];
  const sink = () =>
    new Writable({
      write(chunk: Buffer, _, done) {
        chunks.push(chunk.toString());
        done();
      },
    });
  const world: World = {
    stdin: new PassThrough(),
    stdout: sink(),
    stderr: new PassThrough(),
    now: () => new Date('2026-11-23T18:00:00Z'),
    randomId: () => 'random',
    randomBytes: (bytes) => Buffer.alloc(bytes, 7),
    abort: new AbortController(),
  };
  return { world, output: () => chunks.join('') };
}
