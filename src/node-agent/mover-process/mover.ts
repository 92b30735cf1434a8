import { posix } from 'node:path';
import type { BackupJobInput } from '../../domain/mover-job.ts';
import {
  BackupResult,
  DiscardResult,
  InspectResult,
  ProbeResult,
  ProgressEvent,
} from '../../domain/mover-report.ts';
import type { Credentials } from '../repository/credentials.ts';
import type { Place } from '../repository/place.ts';
import { runMover } from './spawn.ts';

/** What the agent asks of movers for one repository. Paths are relative to its root. All reject as {@link runMover} does. */
export interface Mover {
  /** Copies one backup and commits it. A volume's `parent` is relative to the root, too. */
  backup(
    job: Omit<BackupJobInput, 'directory'> & { readonly path: string },
    onProgress: (progress: ProgressEvent) => void,
    signal: AbortSignal,
  ): Promise<BackupResult>;
  /** Tells what a committed backup holds, and whether it is fit to be a parent. */
  inspect(path: string, signal: AbortSignal): Promise<InspectResult>;
  /** Writes, reads back and deletes a file. */
  probe(signal: AbortSignal): Promise<ProbeResult>;
  /** Removes what attempts of this one backup left unfinished. */
  discard(path: string, signal: AbortSignal): Promise<DiscardResult>;
}

export interface MoverLimits {
  /** A copy that says nothing for so long is stuck, in milliseconds. */
  readonly copyStallMs: number;
  /** The same for the short commands. */
  readonly answerMs: number;
}

/** Movers for the repository at `place`; `command` starts one. */
export function moverAt(
  place: Place,
  command: readonly string[],
  limits: MoverLimits,
  credentials?: Credentials,
): Mover {
  const at = (path: string) => posix.join(place.root, path);
  const ask = (args: readonly string[], signal: AbortSignal) =>
    runMover({ mover: command, place, credentials, args, stallMs: limits.answerMs }, signal);
  return {
    async backup({ path, ...job }, onProgress, signal) {
      const onEvent = (event: unknown) => {
        const progress = ProgressEvent.safeParse(event);
        if (progress.success) onProgress(progress.data);
      };
      const volumes = job.volumes.map((volume) =>
        volume.type === 'Incremental' ? { ...volume, parent: at(volume.parent) } : volume,
      );
      const line = JSON.stringify({ ...job, volumes, directory: at(path) });
      const run = { mover: command, place, credentials, args: ['backup', '--job', '-'], job: line, onEvent };
      return BackupResult.parse(await runMover({ ...run, stallMs: limits.copyStallMs }, signal));
    },
    async inspect(path, signal) {
      return InspectResult.parse(await ask(['inspect', at(path)], signal));
    },
    async probe(signal) {
      return ProbeResult.parse(await ask(['probe', place.root], signal));
    },
    async discard(path, signal) {
      const args = ['discard', at(posix.dirname(path)), '--attempts-of', posix.basename(path)];
      return DiscardResult.parse(await ask(args, signal));
    },
  };
}
