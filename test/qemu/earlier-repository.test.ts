import { createHash } from 'node:crypto';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { vmBackups } from '../../src/crds/vmbackup.ts';
import { Inspection } from '../../src/domain/restore/inspection.ts';
import { EARLIER, earlierObjects } from '../support/upgrade/earlier.ts';
import { lastEvent, same, Workshop } from './mover-rig.ts';

/** A repository that an earlier commit's agent and mover wrote, read and carried on by those of today. */
describe('a repository of before', () => {
  const workshop = new Workshop();
  const [full = '', incremental = ''] = earlierObjects
    .filter(({ kind }) => kind === 'VMBackup')
    .map((object) => vmBackups.parse(object).status?.plan?.path ?? '');
  const at = (path: string): string => workshop.at('repository', path);

  beforeAll(() => cpSync(join(EARLIER, 'repository'), workshop.at('repository'), { recursive: true }));
  afterAll(() => workshop[Symbol.asyncDispose]());

  test('is listed whole', async () => {
    const { code, stdout } = await workshop.mover('list', workshop.at('repository'));
    expect(code).toBe(0);
    for (const path of [full, incremental]) expect(stdout).toContain(path.split('/').at(-1));
  });

  test('tells what a restore by object needs', async () => {
    const told = lastEvent(await workshop.mover('inspect', at(incremental), '--definitions', '--json'));
    expect(Inspection.parse(told)).toMatchObject({
      volumes: [{ name: 'root', type: 'Incremental', reason: null }],
      definitions: { virtualMachine: { metadata: { name: 'db' } } },
    });
  });

  test('is proven, and restored byte for byte', async () => {
    expect(await workshop.mover('verify', at(incremental), '--chain')).toMatchObject({ code: 0 });
    const to = workshop.at('root.raw');
    await workshop.mover('restore', '--from', at(incremental), '--volume', 'root', '--to', to);
    const sum = createHash('sha256').update(readFileSync(to)).digest('hex');
    expect(sum).toBe(readFileSync(join(EARLIER, 'root.sha256'), 'utf8').trim());
  });

  test('is carried on: a new incremental stands on what was there', async () => {
    const disk = workshop.at('disk.qcow2');
    workshop.tool('qemu-img', 'convert', '-O', 'qcow2', workshop.at('root.raw'), disk);
    workshop.tool('qemu-img', 'bitmap', '--add', disk, 'since');
    workshop.tool('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 0x43 4M 1M', disk);
    await using served = await workshop.serve(disk, 'qcow2', 'since');
    const next = at(`${incremental.split('/').slice(0, 3).join('/')}/20991231T235959Z-00000001`);
    const what = [
      '--source',
      served.uri,
      '--volume',
      'root',
      '--bitmap',
      'since',
      '--parent',
      at(incremental),
    ];
    expect(await workshop.mover('backup', ...what, '--to', next)).toMatchObject({ code: 0 });
    expect(await workshop.mover('verify', next, '--chain')).toMatchObject({ code: 0 });
    workshop.tool('qemu-img', 'convert', '-O', 'raw', join(next, 'root.qcow2'), workshop.at('judged.raw'));
    workshop.tool('qemu-img', 'convert', '-O', 'raw', disk, workshop.at('truth.raw'));
    expect(same(workshop.at('judged.raw'), workshop.at('truth.raw'))).toBe(true);
  });
});
