import { ExitCode, MoverError } from './errors.ts';
import { writeJson } from './terminal.ts';
import type { World } from './world.ts';

type Command = (args: readonly string[], world: World) => Promise<ExitCode>;

/** Each command is loaded only when it is asked for, so that none pays for another's start. */
const commands: ReadonlyMap<string, () => Promise<{ readonly run: Command }>> = new Map([
  ['backup', () => import('./commands/backup.ts')],
  ['restore', () => import('./commands/restore.ts')],
  ['verify', () => import('./commands/verify.ts')],
  ['list', () => import('./commands/list.ts')],
  ['inspect', () => import('./commands/inspect.ts')],
  ['probe', () => import('./commands/probe.ts')],
  ['discard', () => import('./commands/discard.ts')],
  ['scrub', () => import('./commands/scrub.ts')],
  ['sweep', () => import('./commands/sweep.ts')],
  ['forget-changes', () => import('./commands/forget-changes.ts')],
]);

const HELP = `tidemark-mover moves the bytes of one backup or restore. It knows nothing of Kubernetes or libvirt.

  backup   copy a disk from an NBD server into a backup directory
  restore  write a disk, as it was at a backup, to a file or a block device
  verify   read a backup and prove every byte of it
  list     show what a repository holds
  inspect  say what a backup holds, and whether it is fit for use
  probe    try out whether a repository can be written
  discard  remove what dead attempts of a backup left behind
  scrub    verify a slice of a whole repository, and go on from there the next time
  sweep    remove backups, leaf first, and nothing that others stand on
  forget-changes  remove the overlays of restored disks: they lie over other data now

Each command tells its usage when called without arguments. --json writes JSON lines to standard output.
Exit codes: 0 good, 1 check failed, 2 usage, 3 source, 4 target, 5 aborted, 6 parent, 70 fault of the mover.
`;

/** Runs one command line, reports what went wrong, and gives the exit code. Never throws. */
export async function runMover(argv: readonly string[], world: World): Promise<ExitCode> {
  const [name, ...args] = argv;
  if (name === undefined || name === 'help' || name === '--help') {
    world.stdout.write(HELP);
    return name === undefined ? ExitCode.usage : ExitCode.ok;
  }
  const load = commands.get(name);
  if (!load) {
    world.stderr.write(`tidemark-mover: there is no command "${name}"\n\n${HELP}`);
    return ExitCode.usage;
  }
  try {
    return await (await load()).run(args, world);
  } catch (error) {
    return report(error, world, args.includes('--json'));
  }
}

function report(error: unknown, world: World, json: boolean): ExitCode {
  const known = error instanceof MoverError ? error : null;
  const exitCode = known?.exitCode ?? ExitCode.internal;
  const reason = known?.reason ?? 'Internal';
  const volume = known?.volume ?? null;
  const message = error instanceof Error ? error.message : String(error);
  if (json) writeJson(world, { event: 'error', reason, message, volume, exitCode });
  const detail = known ? message : error instanceof Error ? (error.stack ?? message) : message;
  world.stderr.write(`${world.stderr.isTTY ? '\r\x1b[K' : ''}tidemark-mover: ${reason}: ${detail}\n`);
  return exitCode;
}
