import { posix } from 'node:path';
import { runMover } from '../../../src/node-agent/mover-process/spawn.ts';
import type { Served, Workshop } from '../../qemu/mover-rig.ts';
import { backup, inMidCopy, SLOW } from './backup.ts';
import { OUT } from './boot.ts';
import { failureOf, MOVER, never, repository, server } from './stage.ts';

/** A server that answers, but after 100 ms each time, and never takes more than three megabytes in a second. */
export async function slow(_: Workshop, source: Served) {
  server('slow');
  try {
    const { alreadyCommitted, milliseconds } = await backup(repository(), 'slow', { source: source.uri });
    return { alreadyCommitted, milliseconds };
  } finally {
    server('fast');
  }
}

/** The server's disk fails in mid-copy: what was written before stays, and each new block is an I/O error. */
export async function ioError(workshop: Workshop, source: Served) {
  server('break-later');
  const place = repository({ path: '/broken' });
  {
    await using served = await workshop.serve(posix.join(OUT, 'disk-0.qcow2'), 'qcow2');
    await backup(place, 'b0', { source: served.uri });
  }
  const ask = (...args: string[]) => runMover({ mover: MOVER, place, args, stallMs: 60_000 }, never);
  const at = (id: string) => posix.join(place.root, 'c/ns/vm-1', id);
  const onFirst = () => inMidCopy(source, 'break');
  const failure = await failureOf(() => backup(place, 'b1', { source: source.uri }, { ...SLOW, onFirst }));
  const whileBroken = await ask('verify', at('b0'), '--chain');
  server('mend');
  await using served = await workshop.serve(posix.join(OUT, 'disk-1.qcow2'), 'qcow2', 'cp0');
  const incremental = { source: served.uri, parent: 'c/ns/vm-1/b0', bitmap: 'cp0' };
  const again = await backup(place, 'b1', incremental, { attempt: 2 });
  return { failure, whileBroken, again, verified: await ask('verify', at('b1'), '--chain') };
}
