import { existsSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { lastEvent, Workshop } from './mover-rig.ts';

/** Why a restore in place takes away the overlays in which KubeVirt has QEMU note changes; QEMU itself is the witness. */
const workshop = new Workshop();
afterAll(() => workshop[Symbol.asyncDispose]());

describe('an overlay that is kept over a restored disk', () => {
  const raw = workshop.at('disk.img');
  const overlay = workshop.at('root.qcow2');
  const reads = (file: string, format: string): string =>
    workshop.tool('qemu-io', '-f', format, '-c', 'read -v 0 16', '-c', 'read -v 65536 16', file);

  test('hides what the guest had zeroed, until its changes are forgotten', async () => {
    writeFileSync(raw, Buffer.alloc(1024 * 1024));
    workshop.tool(
      ...[
        'qemu-img',
        'create',
        '-q',
        '-f',
        'qcow2',
        '-o',
        `data_file=${raw},data_file_raw=on`,
        overlay,
        '1M',
      ],
    );
    workshop.tool('qemu-io', '-f', 'qcow2', '-c', 'write -P 1 0 128k', '-c', 'write -z 0 64k', overlay);
    // The disk of before needs no overlay: a VM whose restore is undone loses nothing when it is gone.
    expect(reads(raw, 'raw')).toContain('00000000:  00 00 00 00');
    expect(reads(raw, 'raw')).toContain('00010000:  01 01 01 01');
    workshop.tool('qemu-io', '-f', 'raw', '-c', 'write -P 7 0 128k', raw);
    expect(reads(raw, 'raw').match(/07 07 07 07/g)).not.toBeNull();
    expect(reads(overlay, 'qcow2')).toContain('00000000:  00 00 00 00');
    expect(reads(overlay, 'qcow2')).toContain('00010000:  07 07 07 07');

    const forgot = await workshop.mover(
      ...['forget-changes', workshop.path, '--volume', 'root', '--volume', 'data', '--json'],
    );
    expect(forgot.code).toBe(0);
    expect(lastEvent(forgot)).toMatchObject({ command: 'forget-changes', removed: ['root'] });
    expect([existsSync(overlay), existsSync(raw)]).toEqual([false, true]);
  });

  test('is gone when it is asked for twice, and in a directory that is not there', async () => {
    for (const directory of [workshop.path, workshop.at('nowhere')]) {
      const forgot = await workshop.mover('forget-changes', directory, '--volume', 'root', '--json');
      expect([forgot.code, lastEvent(forgot)['removed']]).toEqual([0, []]);
    }
  });

  test('is only looked for under the name of a volume', async () => {
    const odd = await workshop.mover('forget-changes', workshop.path, '--volume', '../disk', '--json');
    expect(odd.code).toBe(2);
  });
});
