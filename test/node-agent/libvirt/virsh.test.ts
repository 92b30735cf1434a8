import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { connectVirsh, type Exit, type Run } from '../../../src/node-agent/libvirt/virsh.ts';

const failed = (stderr: string, error: object = {}): Exit => ({
  stdout: '',
  stderr,
  error: Object.assign(new Error('Command failed'), { code: 1, killed: false }, error),
});

function answering(exit: Exit) {
  const calls: (readonly string[])[] = [];
  const run: Run = async (args) => {
    calls.push(args);
    return exit;
  };
  return { calls, virsh: connectVirsh({ socket: '/pods/a&b/sock', run }) };
}

test('connects to the session daemon behind the socket, whatever its path', async () => {
  const { calls, virsh } = answering({ stdout: 'running\n', stderr: '' });
  expect(await virsh(['domstate', 'shop_db'])).toBe('running\n');
  expect(calls).toEqual([
    ['-q', '-c', 'qemu+unix:///session?socket=%2Fpods%2Fa%26b%2Fsock', 'domstate', 'shop_db'],
  ]);
});

test('passes documents as private files, in order, and removes them', async () => {
  let paths: readonly string[] = [];
  const virsh = connectVirsh({
    socket: '/s',
    run: async (args) => {
      paths = args.slice(-2);
      const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
      expect((await stat(dirname(paths[0] ?? ''))).mode & 0o777).toBe(0o700);
      return { stdout: texts.join('|'), stderr: '' };
    },
  });
  expect(await virsh(['backup-begin', 'shop_db'], { files: ['<a/>', '<b/>'] })).toBe('<a/>|<b/>');
  await expect(stat(dirname(paths[0] ?? ''))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the files go when the call fails, too', async () => {
  let path = '';
  const virsh = connectVirsh({
    socket: '/s',
    run: async (args) => {
      path = args.at(-1) ?? '';
      return failed('error: operation failed');
    },
  });
  await expect(virsh(['checkpoint-create', 'd'], { files: ['<a/>'] })).rejects.toThrow('operation failed');
  await expect(stat(dirname(path))).rejects.toMatchObject({ code: 'ENOENT' });
});

test("tells the command and libvirt's words in one line", async () => {
  const { virsh } = answering(
    failed(
      "error: Failed to delete checkpoint c2\nerror: internal error: bitmap 'c2' not found in backing chain of 'vdb'\n",
    ),
  );
  await expect(virsh(['checkpoint-delete', 'shop_db', 'c2'])).rejects.toMatchObject({
    reason: 'BitmapMissing',
    disk: 'vdb',
    message:
      "virsh checkpoint-delete shop_db c2: Failed to delete checkpoint c2: internal error: bitmap 'c2' not found in backing chain of 'vdb'",
  });
});

test('says so when virsh is not installed', async () => {
  const { virsh } = answering(failed('', { code: 'ENOENT' }));
  await expect(virsh(['list'])).rejects.toMatchObject({ reason: 'VirshMissing' });
});

test('says so when the client had to be killed', async () => {
  const { virsh } = answering(failed('', { killed: true }));
  await expect(virsh(['list'], { timeoutMs: 7 })).rejects.toMatchObject({
    reason: 'ClientTimeout',
    message: expect.stringContaining('virsh list gave no answer in 7 ms'),
  });
});

test('does not begin when it is aborted already', async () => {
  const { calls, virsh } = answering({ stdout: '', stderr: '' });
  await expect(virsh(['list'], {}, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
  expect(calls).toEqual([]);
});

test("gives the signal's reason when it is aborted in the middle", async () => {
  const stopping = new AbortController();
  const virsh = connectVirsh({
    socket: '/s',
    run: async () => {
      stopping.abort(new Error('stop'));
      return failed('', { killed: true });
    },
  });
  await expect(virsh(['list'], {}, stopping.signal)).rejects.toThrow('stop');
});
