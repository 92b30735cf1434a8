import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MOVER, same, Workshop } from './mover-rig.ts';

/** The commands of docs/restore.md, as they stand there, on a machine that has nothing but the share. */
const workshop = new Workshop();
const backup = 'cluster/shop/db-1a2b3c4d/20261123T020000Z-5e6f7a8b';

beforeAll(async () => {
  const disk = workshop.at('disk.qcow2');
  workshop.tool('qemu-img', 'create', '-q', '-f', 'qcow2', disk, '8M');
  workshop.tool('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 0x41 1M 2M', disk);
  workshop.tool('qemu-img', 'convert', '-O', 'raw', disk, workshop.at('truth.raw'));
  await using served = await workshop.serve(disk, 'qcow2');
  const to = ['--to', workshop.at('share', backup)];
  expect(await workshop.mover('backup', '--source', served.uri, '--volume', 'root', ...to)).toMatchObject({
    code: 0,
  });
});
afterAll(() => workshop[Symbol.asyncDispose]());

/** The shell block of a section. */
function commands(heading: string): string {
  const text = readFileSync(join(import.meta.dirname, '../../docs/restore.md'), 'utf8');
  const section = text.split(`\n## ${heading}\n`)[1] ?? '';
  return /```sh\n([^`]*)```/.exec(section)?.[1] ?? '';
}

describe('without a cluster', () => {
  test('the documented commands list, prove and restore a disk, with the mover and without it', () => {
    mkdirSync(workshop.at('out'));
    const given = { SHARE: workshop.at('share'), BACKUP: backup, OUT: workshop.at('out') };
    const mover = `tidemark-mover() { '${MOVER[0]}' '${MOVER[1]}' "$@"; }`;
    const variables = Object.entries(given).map(([name, value]) => `${name}='${value}'`);
    const said = workshop.tool(
      'bash',
      '-euc',
      [mover, ...variables, commands('Without a cluster')].join('\n'),
    );
    expect(said).toContain(backup);
    expect(said).toContain('good: 1 backup');
    for (const file of ['root.raw', 'root-by-qemu.raw'])
      expect(same(workshop.at('out', file), workshop.at('truth.raw'))).toBe(true);
  });
});
