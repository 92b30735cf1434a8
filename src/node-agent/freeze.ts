import type { BackupSettings } from '../crds/backup-settings.ts';
import type { VirtualMachineInstance } from '../crds/kubevirt.ts';
import type { Execution } from '../crds/vmbackup.ts';
import type { Kube } from '../kube/client.ts';

type Policy = BackupSettings['quiesce'];
export type Quiesce = NonNullable<Execution['quiesce']>;

/** `quiesce: Required`, and the guest could not be frozen. */
export class FreezeRefused extends Error {
  readonly reason: string;

  constructor(reason: 'GuestAgentAbsent' | 'FreezeFailed', message: string) {
    super(message);
    this.name = 'FreezeRefused';
    this.reason = reason;
  }
}

/** KubeVirt thaws the guest by itself after this, should the agent die in between. Windows' VSS gives 10 s anyway. */
const UNFREEZE_SECONDS = 10;
const UNFREEZE_TIMEOUT = `${UNFREEZE_SECONDS}s`;

/**
 * Runs `begin` while the guest's file systems are frozen, and thaws them whatever happens. Through KubeVirt's subresource
 * and not through libvirt, because only KubeVirt thaws by itself when the caller dies.
 *
 * @throws FreezeRefused when the policy is `Required` and the guest did not freeze, or not for as long as `begin` took: only
 *   then has `begin` run.
 */
export async function whileFrozen<T>(
  kube: Kube,
  vmi: VirtualMachineInstance,
  policy: Policy,
  now: () => number,
  begin: () => Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly value: T; readonly quiesce: Quiesce }> {
  const asked = await freeze(kube, vmi, policy, signal);
  if (policy === 'Required' && asked.result !== 'Frozen') {
    const absent = asked.result === 'NoAgent';
    throw new FreezeRefused(
      absent ? 'GuestAgentAbsent' : 'FreezeFailed',
      `quiesce is Required, but ${asked.message ?? 'the guest did not freeze'}. ${absent ? 'Install and start qemu-guest-agent in the guest, or set quiesce: IfAvailable.' : 'Look at the guest agent in the guest.'}`,
    );
  }
  const frozenAt = now();
  try {
    const value = await begin();
    const begunMs = now() - frozenAt;
    if (asked.result !== 'Frozen') return { value, quiesce: asked };
    const thawed = await thaw(kube, vmi);
    const frozenMilliseconds = Math.round(now() - frozenAt);
    if (begunMs >= UNFREEZE_SECONDS * 1000) return { value, quiesce: thawedTooSoon(policy, begunMs) };
    const quiesce: Quiesce = { ...asked, frozenMilliseconds };
    return { value, quiesce: thawed === undefined ? quiesce : { ...quiesce, message: thawed } };
  } catch (error) {
    if (asked.result === 'Frozen') await thaw(kube, vmi);
    throw error;
  }
}

/** The begin took so long that the guest may have been thawed before it: nothing proves that it was frozen at that instant. */
function thawedTooSoon(policy: Policy, tookMs: number): Quiesce {
  const message = `the backup took ${Math.round(tookMs / 1000)} s to begin, and a guest is thawed after ${UNFREEZE_SECONDS} s`;
  if (policy === 'Required')
    throw new FreezeRefused('FreezeFailed', `quiesce is Required, but ${message}. It is tried again.`);
  return { result: 'Failed', message };
}

async function freeze(
  kube: Kube,
  vmi: VirtualMachineInstance,
  policy: Policy,
  signal: AbortSignal,
): Promise<Quiesce> {
  if (policy === 'Never') return { result: 'NotAsked' };
  const connected =
    vmi.status?.conditions?.some((c) => c.type === 'AgentConnected' && c.status === 'True') ?? false;
  if (!connected)
    return { result: 'NoAgent', message: 'no guest agent is connected: the backup is crash-consistent' };
  try {
    await kube.put(
      subresource(vmi, 'freeze'),
      { unfreezeTimeout: UNFREEZE_TIMEOUT },
      { timeoutMs: 60_000 },
      signal,
    );
    return { result: 'Frozen' };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // A freeze that failed half-way, or was not waited for, must not leave the guest frozen.
    await thaw(kube, vmi);
    signal.throwIfAborted();
    return { result: freezeAnswer(message), message: message.slice(0, 1024) };
  }
}

/**
 * KubeVirt answers a freeze without a guest agent with HTTP 500 and libvirt's error in the text: code 86 is
 * VIR_ERR_AGENT_UNRESPONSIVE, 74 with "not configured" is a VM without the channel.
 */
export function freezeAnswer(message: string): 'NoAgent' | 'Failed' {
  return /Code=86|guest agent is not|agent is not configured/i.test(message) ? 'NoAgent' : 'Failed';
}

/** Thaws; resolves to what went wrong, since KubeVirt's own timeout thaws anyway. Never aborted: the guest comes first. */
async function thaw(kube: Kube, vmi: VirtualMachineInstance): Promise<string | undefined> {
  try {
    await kube.put(subresource(vmi, 'unfreeze'), {}, { timeoutMs: 10_000 }, new AbortController().signal);
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return `thaw failed (KubeVirt thaws after ${UNFREEZE_TIMEOUT}): ${message}`.slice(0, 1024);
  }
}

function subresource(vmi: VirtualMachineInstance, verb: 'freeze' | 'unfreeze'): string {
  const { namespace, name } = vmi.metadata;
  return `/apis/subresources.kubevirt.io/v1/namespaces/${namespace}/virtualmachineinstances/${name}/${verb}`;
}
