import { isRefusal, LibvirtError } from '../libvirt/errors.ts';
import { MoverFailed } from '../mover-process/spawn.ts';
import type { RunningVm } from './attempt.ts';
import { AttemptFailed } from './attempt-failed.ts';

/** What a mover says when its source went away. */
const SOURCE_GONE: ReadonlySet<string> = new Set(['NbdGone', 'NbdRefused']);

/** What libvirt, or the way to it, says then. */
const DOMAIN_GONE = ['DomainNotRunning', 'DomainNotFound', 'ConnectFailed'] as const;

/**
 * What a failure comes from, when all that was seen is that the VM's QEMU or libvirt went away: a VM that was stopped meanwhile, or
 * that QEMU left; it may run again by now. That is no failure of the backup, which gave way.
 *
 * @param vm as it was when the attempt began
 */
export async function whyGone(
  failure: unknown,
  vm: RunningVm | undefined,
  find: (signal: AbortSignal) => Promise<RunningVm>,
  signal: AbortSignal,
): Promise<unknown> {
  if (!saysGone(failure)) return failure;
  try {
    const now = await find(signal);
    if (vm === undefined || now.paths.libvirtSocket === vm.paths.libvirtSocket) return failure;
    return new AttemptFailed('VMNotRunning', 'The VM was stopped and started again meanwhile.', {
      cause: failure,
    });
  } catch (error) {
    if (error instanceof AttemptFailed) return error;
    // A libvirtd that is away for a moment is no proof that the pod is.
    if (!isRefusal(error, 'ConnectFailed') || failure instanceof LibvirtError) return failure;
    const message = 'The VM was stopped while it was copied: its launcher pod is gone.';
    return new AttemptFailed('VMNotRunning', message, { cause: error });
  }
}

function saysGone(failure: unknown): boolean {
  if (failure instanceof MoverFailed) return SOURCE_GONE.has(failure.reason);
  return isRefusal(failure, ...DOMAIN_GONE);
}
