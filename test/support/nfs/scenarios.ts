import { readdirSync, readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Nfs } from '../../../src/crds/vmbackuprepository.ts';
import { runMover } from '../../../src/node-agent/mover-process/spawn.ts';
import { jobFor } from '../../mover/support/backup-rig.ts';
import { same, type Served, type Workshop } from '../../qemu/mover-rig.ts';
import { backup, entriesOf, inMidCopy, SLOW } from './backup.ts';
import { OUT } from './boot.ts';
import { rights, share } from './rights.ts';
import {
  BLACK_HOLE,
  failureOf,
  type Left,
  left,
  MOVER,
  moverOf,
  never,
  repository,
  server,
  settled,
  startPulse,
} from './stage.ts';
import { ioError, slow } from './weather.ts';

/**
 * What happens in the guest, one after the other. A scenario only does and tells what it saw; the test on the host judges.
 */

async function probe() {
  return moverOf(repository()).probe(never);
}

/** A full, changes, an incremental (disks.ts); verified, restored, listed, scrubbed, and the incremental swept away. */
async function chain(workshop: Workshop) {
  const place = repository();
  let copying: Left | undefined;
  {
    await using served = await workshop.serve(posix.join(OUT, 'disk-0.qcow2'), 'qcow2');
    await backup(place, 'b0', { source: served.uri }, { onFirst: () => (copying = left()) });
  }
  {
    await using served = await workshop.serve(posix.join(OUT, 'disk-1.qcow2'), 'qcow2', 'cp0');
    await backup(place, 'b1', { source: served.uri, parent: 'c/ns/vm-1/b0', bitmap: 'cp0' });
  }
  const at = (n: number) => posix.join(place.root, `c/ns/vm-1/b${n}`);
  const ask = (...args: string[]) => runMover({ mover: MOVER, place, args, stallMs: 60_000 }, never);
  const verified = await ask('verify', at(1), '--chain');
  const to = workshop.at('restored.raw');
  await ask('restore', '--from', at(1), '--volume', 'vda', '--to', to);
  const restored = same(to, posix.join(OUT, 'truth.raw'));
  const bytes = (n: number) => statSync(`/srv/export/c/ns/vm-1/b${n}/vda.qcow2`).size;
  const imageBytes = [bytes(0), bytes(1)];
  const listed = await ask('list', place.root, '--page', '10');
  const scrubbed = await ask('scrub', place.root);
  const { backup: kept } = JSON.parse(readFileSync('/srv/export/c/ns/vm-1/b0/manifest.json', 'utf8'));
  const { backup: going } = JSON.parse(readFileSync('/srv/export/c/ns/vm-1/b1/manifest.json', 'utf8'));
  const order = (...uids: readonly [string, string][]) =>
    JSON.stringify({ clusterId: 'c', backups: uids.map(([id, uid]) => ({ path: `c/ns/vm-1/${id}`, uid })) });
  const swept = [
    await ask('sweep', place.root, '--order', order(['b0', kept.uid])),
    await ask('sweep', place.root, '--order', order(['b1', going.uid])),
  ];
  const stays = readdirSync('/srv/export/c/ns/vm-1');
  return { copying, verified, restored, imageBytes, listed, scrubbed, swept, stays };
}

/** The server goes down in mid-copy, and is back before anybody loses patience. */
async function serverBack(_: Workshop, source: Served) {
  let returned = Promise.resolve();
  const restart = async () => {
    inMidCopy(source, 'stop');
    await sleep(3_000);
    server('start');
  };
  const onFirst = () => {
    returned = restart();
  };
  const made = await backup(repository(), 'back', { source: source.uri }, { ...SLOW, onFirst });
  await returned;
  const { alreadyCommitted, milliseconds } = made;
  return { alreadyCommitted, milliseconds, entries: entriesOf('back') };
}

/** The export is withdrawn in mid-copy: ESTALE. (The mover takes 11 s more to exit: so long the kernel tries to unmount.) */
async function withdrawn(_: Workshop, source: Served) {
  const onFirst = () => inMidCopy(source, 'withdraw');
  const failure = await failureOf(() =>
    backup(repository(), 'stale', { source: source.uri }, { ...SLOW, onFirst }),
  );
  // What the agent's next probe finds, and so what the condition of the repository says.
  const probe = await failureOf(() => moverOf(repository()).probe(never));
  server('restore');
  return { failure, probe };
}

/** More data than the export can hold: the writes go into the cache, fsync tells. */
async function full(_: Workshop, source: Served) {
  const place = repository({ path: '/small' });
  const failure = await failureOf(() => backup(place, 'full', { source: source.uri }));
  return { failure, left: readdirSync('/srv/small', { recursive: true, encoding: 'utf8' }).sort() };
}

/** What the kernel says to whoever asks twice. */
async function fsyncTwice() {
  const program = `const fs = require('node:fs');
    const attempt = (act) => { try { act(); return 'ok' } catch (error) { return error.code } };
    const fd = fs.openSync(process.argv[1] + '/twice', 'w');
    const write = attempt(() => fs.writeSync(fd, Buffer.alloc(24 * 1024 * 1024, 1)));
    const first = attempt(() => fs.fsyncSync(fd));
    const second = attempt(() => fs.fsyncSync(fd));
    fs.closeSync(fd);
    fs.unlinkSync(process.argv[1] + '/twice');
    console.log(JSON.stringify({ write, first, second }));`;
  const place = repository({ path: '/small' });
  const mover = [process.execPath, '-e', program];
  return (await runMover({ mover, place, args: [place.root], stallMs: 60_000 }, never)) as object;
}

/** How long a mover takes here that nobody hinders. */
let unhinderedMs = 0;

async function readOnly() {
  const failure = await failureOf(() => moverOf(repository({ path: '/readonly' })).probe(never));
  unhinderedMs = failure.ms;
  return failure;
}

/** Everything that can be wrong with an address. Only the black hole needs more patience than we have. */
async function mounts() {
  const tried = async (nfs: Partial<Nfs>, stallMs = 60_000) =>
    failureOf(() => moverOf(repository(nfs), { stallMs }).probe(never));
  return {
    noSuchExport: await tried({ path: '/nowhere' }),
    refused: await tried({ mountOptions: ['port=2050'] }),
    noRoute: await tried({ server: '192.0.2.1' }),
    noName: await tried({ server: 'nas.invalid' }),
    blackHole: await tried({ server: BLACK_HOLE }, 2_000),
  };
}

/** The server goes down in mid-copy and stays away until we have seen what becomes of the mover and of the agent. */
async function gone(_: Workshop, source: Served) {
  const place = repository();
  const { directory, ...job } = jobFor('', 'gone', [{ name: 'vda', type: 'Full', source: source.uri }], SLOW);
  const line = JSON.stringify({ ...job, directory: posix.join(place.root, directory) });
  let stoppedAt = 0;
  const onEvent = () => {
    if (stoppedAt > 0) return;
    inMidCopy(source, 'stop');
    stoppedAt = performance.now();
  };
  const patience = { termMs: 1_000, killMs: 1_000 };
  const stallMs = Math.max(4_000, 3 * unhinderedMs);
  const run = { mover: MOVER, place, args: ['backup', '--job', '-'], job: line, onEvent, patience, stallMs };
  let whileGone;
  try {
    const failure = await failureOf(() => runMover(run, never));
    const answeredMs = Math.round(performance.now() - stoppedAt);
    const abandoned = left();
    const ask = { mover: MOVER, place, args: ['probe', place.root], patience, stallMs: 3_000 };
    const pulse = startPulse();
    const probe = await failureOf(() => runMover(ask, never));
    const longestPauseMs = pulse.stop();
    const afterProbe = await settled(({ processes }) => processes.length <= abandoned.processes.length);
    whileGone = { failure, stallMs, answeredMs, abandoned, probe, longestPauseMs, afterProbe };
  } finally {
    server('start'); // or the guest could not be switched off
  }
  const began = performance.now();
  const again = await backup(place, 'gone', { source: source.uri }, { attempt: 2 });
  const recoveredMs = Math.round(performance.now() - began);
  return { ...whileGone, again, recoveredMs, entries: entriesOf('gone') };
}

/**
 * In the order in which they are played: each round finds the server up and leaves it so. What shares a round does not get into
 * each other's way, and fills the time in which the other one waits.
 */
export const ROUNDS = [
  { probe },
  { rights },
  { share },
  { chain },
  { slow },
  { serverBack },
  { withdrawn, mounts },
  { full },
  { ioError },
  { fsyncTwice },
  { readOnly },
  { gone },
] as const;
