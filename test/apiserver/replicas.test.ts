import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leases } from '../../src/crds/core.ts';
import { vmBackups } from '../../src/crds/vmbackup.ts';
import type { Program } from '../support/tidemark/program.ts';
import { NAMESPACE, READY, Rig, SYSTEM } from './controller-rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
  await rig.agentFinds(READY);
  await rig.repositoryIs('Ready');
});
afterAll(async () => await rig?.[Symbol.asyncDispose]());

/** The metrics that a replica serves, without comments. */
async function metricsOf(replica: Program): Promise<readonly string[]> {
  const port = /"healthPort":(\d+)/.exec(await replica.log())?.[1];
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  return (await answer.text()).split('\n').filter((line) => line.startsWith('tidemark_'));
}

async function holder(): Promise<string | undefined> {
  return (await rig.get(leases, 'tidemark-controller', SYSTEM)).spec?.holderIdentity;
}

describe('two replicas of the controller', () => {
  test('one acts; when it is told to stop, it gives its lease back and the other acts at once', async () => {
    await using second = rig.anotherReplica('controller-2');
    await rig.until('the second to be warm', async () =>
      (await second.log()).includes('"started"') ? true : undefined,
    );
    await rig.vm('db');
    await rig.backup('first', 'db');
    const planned = await rig.planned('first');
    expect(await holder()).toBe('controller-1');
    expect(await second.log()).not.toContain('controller started');

    const [leading, standingBy] = [await metricsOf(rig.controller), await metricsOf(second)];
    expect(leading).toContain('tidemark_controller_leads 1');
    expect(leading).toContain('tidemark_repository_ready{repository="nas"} 1');
    expect(leading).toContain('tidemark_agent_up{node="node-1"} 1');
    expect(
      leading.some((line) => line.startsWith('tidemark_backups_open{repository="nas",state="Assigned"')),
    ).toBe(true);
    expect(standingBy).toContain('tidemark_controller_leads 0');
    expect(standingBy.filter((line) => line.includes('repository='))).toEqual([]);

    const toldAt = Date.now();
    await rig.controller.kill('SIGTERM');
    expect(await rig.controller.log()).toContain('gave the lease back');
    await rig.until('the second to lead', async () =>
      (await holder()) === 'controller-2' ? true : undefined,
    );
    expect(Date.now() - toldAt).toBeLessThan(10_000);

    await rig.vm('web');
    await rig.backup('second', 'web');
    await rig.succeed('second');
    expect(await metricsOf(second)).toContain(
      'tidemark_backups_finished_total{namespace="shop",repository="nas",result="Succeeded",type="Full",reason="NoEarlierBackup"} 1',
    );
    // Nothing was planned twice.
    const before = await rig.get(vmBackups, 'first', NAMESPACE);
    expect(before.status?.plan).toEqual(planned.status?.plan);
  });
});
