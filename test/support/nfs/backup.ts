import { readdirSync } from 'node:fs';
import type { BackupJob } from '../../../src/domain/mover-job.ts';
import type { BackupResult } from '../../../src/domain/mover-report.ts';
import type { Place } from '../../../src/node-agent/repository/place.ts';
import { jobFor } from '../../mover/support/backup-rig.ts';
import type { Served } from '../../qemu/mover-rig.ts';
import { type Deed, moverOf, never, server } from './stage.ts';

const MIB = 1024 * 1024;
/** So slow that there is time to do something to the server: two seconds and more. */
export const SLOW = { limitBytesPerSecond: 8 * MIB };

type Volume = Parameters<typeof jobFor>[2][number];

/** A backup as the agent asks for it. `onFirst` is called once, when bytes have begun to flow. */
export async function backup(
  place: Place,
  id: string,
  volume: Omit<Volume, 'name' | 'type'> & { parent?: string; bitmap?: string },
  {
    onFirst,
    stallMs = 60_000,
    ...overrides
  }: Partial<BackupJob> & { onFirst?: () => void; stallMs?: number } = {},
): Promise<BackupResult> {
  const type = volume.parent === undefined ? 'Full' : 'Incremental';
  const { directory, ...job } = jobFor('', id, [{ ...volume, name: 'vda', type } as Volume], overrides);
  let first = onFirst;
  const onProgress = () => {
    first?.();
    first = undefined;
  };
  return moverOf(place, { stallMs }).backup({ ...job, path: directory }, onProgress, never);
}

/** Does it to the server while the source pauses: else, on a busy machine, the copy would be over first. */
export function inMidCopy(source: Served, what: Deed): void {
  source.child.kill('SIGSTOP');
  server(what);
  source.child.kill('SIGCONT');
}

/** What the server holds of a backup, whole or not. */
export function entriesOf(id: string): string[] {
  return readdirSync('/srv/export/c/ns/vm-1').filter((name) => name.includes(id));
}
