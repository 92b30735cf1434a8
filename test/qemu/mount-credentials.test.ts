import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runMover } from '../../src/node-agent/mover-process/spawn.ts';
import { placeOf } from '../../src/node-agent/repository/place.ts';

/**
 * The way of a password from the agent to `mount`, with the real unshare, shell and tmpfs. Only the mount of the share itself is a
 * stand-in, which tells what it saw: there is no SMB server here.
 */
const PASSWORD = `s3cret 'q" $HOME \`id\` \\n %s`;
const MOUNT = `#!/bin/bash
if [ "$2" = tmpfs ]; then exec /bin/mount "$@"; fi
file=/run/tidemark/credentials/mount
{ cat $file; stat -c '%a' $file; stat -f -c '%T' $file; } >"$SEEN/file"
cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' >"$SEEN/processes"
`;

let directory: string;
const path = process.env['PATH'];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-mount-'));
  await writeFile(join(directory, 'mount'), MOUNT.replaceAll('$SEEN', directory));
  await chmod(join(directory, 'mount'), 0o755);
  process.env['PATH'] = `${directory}:${path}`;
});
afterAll(async () => {
  process.env['PATH'] = path;
  await rm(directory, { recursive: true, force: true });
});

describe('the credentials of a share', () => {
  test('reach mount in a file of its own, and stand on no command line and in no environment', async () => {
    const cifs = {
      server: 'nas',
      share: 'vms',
      version: '3.1.1',
      encrypt: false,
      secretName: 'nas',
    } as const;
    const place = placeOf('nas', { cifs }, { mountPoint: join(directory, 'repository') });
    const program = `process.stdin.once('data', (line) => {
      const left = require('node:fs').readdirSync('/run/tidemark/credentials');
      console.log(JSON.stringify({ event: 'result', job: String(line), left }));
      process.exit(0);
    });`;
    const run = {
      ...{ place, mover: [process.execPath, '-e', program, '--'], args: [], stallMs: 20_000 },
      job: '{"volume":"root"}',
      credentials: async () => ['username=backup', `password=${PASSWORD}`],
    };
    const result = await runMover(run, new AbortController().signal);
    // The mover reads its job and nothing of the credentials; their file is gone by then.
    expect(result).toEqual({ event: 'result', job: '{"volume":"root"}\n', left: [] });
    expect(await readFile(join(directory, 'file'), 'utf8')).toBe(
      `username=backup\npassword=${PASSWORD}\n600\ntmpfs\n`,
    );
    expect(await readFile(join(directory, 'processes'), 'utf8')).not.toContain(PASSWORD.slice(0, 6));
    // And the host has never seen that tmpfs.
    await expect(stat('/run/tidemark/credentials/mount')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
