import { describe, expect, test } from 'vitest';
import type { VirtualMachineInstance } from '../../src/crds/kubevirt.ts';
import type { Kube } from '../../src/kube/client.ts';
import { FreezeRefused, whileFrozen } from '../../src/node-agent/freeze.ts';

const CONNECTED = { conditions: [{ type: 'AgentConnected', status: 'True' }] };
/** As KubeVirt 1.9 answers, with HTTP 500. */
const NO_AGENT =
  'Internal error occurred: unexpected return code 400 (400 Bad Request), message: server error. command Freeze failed: "LibvirtError(Code=86, Domain=10, Message=\'Guest agent is not responding: QEMU guest agent is not connected\')"';

function vmi(status: VirtualMachineInstance['status']): VirtualMachineInstance {
  return { metadata: { name: 'db', namespace: 'shop', uid: 'u' }, status };
}

/** Records the calls, and fails those that are told to fail. */
function kubeThat(failures: { freeze?: string; unfreeze?: string } = {}) {
  const calls: string[] = [];
  const put: Kube['put'] = async (path) => {
    const verb = path.endsWith('/freeze') ? 'freeze' : 'unfreeze';
    calls.push(verb);
    const failure = failures[verb];
    if (failure !== undefined) throw new Error(failure);
    return undefined;
  };
  return { calls, kube: { put } as Kube };
}

function clock() {
  let time = 0;
  return () => (time += 70);
}

const { signal } = new AbortController();

describe('the guest is frozen for the instant of the begin', () => {
  test('frozen before, thawed after, and the milliseconds are told', async () => {
    const { calls, kube } = kubeThat();
    const begin = async () => calls.push('begin');
    const { quiesce } = await whileFrozen(kube, vmi(CONNECTED), 'IfAvailable', clock(), begin, signal);
    expect(calls).toEqual(['freeze', 'begin', 'unfreeze']);
    expect(quiesce).toEqual({ result: 'Frozen', frozenMilliseconds: 140 });
  });

  test.each(['IfAvailable', 'Required'] as const)(
    'no backup calls itself frozen that took so long to begin that KubeVirt had thawed the guest (%s)',
    async (policy) => {
      const { calls, kube } = kubeThat();
      const times = [0, 10_000, 10_100];
      const slow = () => times.shift()!;
      const begun = whileFrozen(kube, vmi(CONNECTED), policy, slow, async () => 0, signal);
      if (policy === 'Required') await expect(begun).rejects.toMatchObject({ reason: 'FreezeFailed' });
      else expect((await begun).quiesce).toMatchObject({ result: 'Failed' });
      expect(calls).toContain('unfreeze');
    },
  );

  test('thawed even when the agent is stopped while it waits for the freeze', async () => {
    const stop = new AbortController();
    const { calls, kube } = kubeThat({ freeze: 'aborted' });
    stop.abort(new Error('stopped'));
    const begin = async () => 0;
    const stopped = whileFrozen(kube, vmi(CONNECTED), 'IfAvailable', clock(), begin, stop.signal);
    await expect(stopped).rejects.toThrow('stopped');
    expect(calls).toEqual(['freeze', 'unfreeze']);
  });

  test('thawed even when the begin fails', async () => {
    const { calls, kube } = kubeThat();
    const failing = whileFrozen(
      kube,
      vmi(CONNECTED),
      'IfAvailable',
      clock(),
      () => Promise.reject(new Error('no space')),
      signal,
    );
    await expect(failing).rejects.toThrow('no space');
    expect(calls).toEqual(['freeze', 'unfreeze']);
  });

  test('no agent is asked for nothing when the VMI says that none is connected', async () => {
    const { calls, kube } = kubeThat();
    const { quiesce } = await whileFrozen(kube, vmi({}), 'IfAvailable', clock(), async () => 0, signal);
    expect(calls).toEqual([]);
    expect(quiesce.result).toBe('NoAgent');
  });

  test('Never asks nobody', async () => {
    const { calls, kube } = kubeThat();
    const { quiesce } = await whileFrozen(kube, vmi(CONNECTED), 'Never', clock(), async () => 0, signal);
    expect(calls).toEqual([]);
    expect(quiesce).toEqual({ result: 'NotAsked' });
  });

  test.each([
    ['NoAgent', NO_AGENT],
    ['Failed', 'Internal error occurred: command Freeze failed: fsfreeze hook has failed'],
  ])('%s is told when the freeze is refused, and a half-frozen guest is thawed', async (result, freeze) => {
    const { calls, kube } = kubeThat({ freeze });
    const { quiesce } = await whileFrozen(
      kube,
      vmi(CONNECTED),
      'IfAvailable',
      clock(),
      async () => 0,
      signal,
    );
    expect(calls).toEqual(['freeze', 'unfreeze']);
    expect(quiesce).toMatchObject({ result, message: freeze });
  });

  test('a thaw that fails is told, and does not fail the backup: KubeVirt thaws by itself', async () => {
    const { kube } = kubeThat({ unfreeze: 'timeout' });
    const { quiesce } = await whileFrozen(
      kube,
      vmi(CONNECTED),
      'IfAvailable',
      clock(),
      async () => 0,
      signal,
    );
    expect(quiesce).toMatchObject({ result: 'Frozen', message: expect.stringContaining('timeout') });
  });

  test.each([
    ['GuestAgentAbsent', vmi({}), {}],
    ['GuestAgentAbsent', vmi(CONNECTED), { freeze: NO_AGENT }],
    ['FreezeFailed', vmi(CONNECTED), { freeze: 'hook failed' }],
  ] as const)('Required is refused with %s, before anything has begun', async (reason, guest, failures) => {
    const { kube } = kubeThat(failures);
    let begun = false;
    const begin = async () => {
      begun = true;
    };
    const error = await whileFrozen(kube, guest, 'Required', clock(), begin, signal).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(FreezeRefused);
    expect(error).toMatchObject({ reason });
    expect(begun).toBe(false);
  });
});
