import { describe, expect, test } from 'vitest';
import { type ProcessGroup, startGroup } from '../../../src/node-agent/mover-process/process-group.ts';

const quick = { termMs: 100, killMs: 100 };
const node = (program: string) => [process.execPath, '-e', program];

async function ready({ child }: ProcessGroup): Promise<void> {
  await new Promise((resolve) => child.stdout.once('data', resolve));
}

describe('a process group', () => {
  test('ends by itself', async () => {
    const { ended } = startGroup(node('process.exit(3)'), process.env, quick);
    await expect(ended).resolves.toEqual({ kind: 'Exited', code: 3, signal: null });
  });

  test('is asked to stop first, and may clean up', async () => {
    const program = `process.on('SIGTERM', () => process.exit(5)); setInterval(() => 0, 1000); console.log('ready')`;
    const group = startGroup(node(program), process.env, { termMs: 20_000, killMs: 100 });
    await ready(group);
    group.stop();
    group.stop();
    await expect(group.ended).resolves.toEqual({ kind: 'Exited', code: 5, signal: null });
  });

  test('is killed when it does not', async () => {
    const program = `process.on('SIGTERM', () => 0); setInterval(() => 0, 1000); console.log('ready')`;
    const group = startGroup(node(program), process.env, quick);
    await ready(group);
    group.stop();
    await expect(group.ended).resolves.toEqual({ kind: 'Exited', code: null, signal: 'SIGKILL' });
  });

  test('that no signal ends is abandoned: nobody waits for it', async () => {
    const signals: string[] = [];
    const send = (_: number, signal: string) => signals.push(signal);
    const group = startGroup(
      node(`setInterval(() => 0, 1000); console.log('ready')`),
      process.env,
      quick,
      send,
    );
    await ready(group);
    group.stop();
    try {
      await expect(group.ended).resolves.toEqual({ kind: 'Abandoned', pid: group.child.pid });
      expect(signals).toEqual(['SIGTERM', 'SIGKILL']);
      expect(group.child.stdout.destroyed).toBe(true);
    } finally {
      group.child.kill('SIGKILL');
    }
  });

  test('that cannot be started says so', async () => {
    const { ended, stop } = startGroup(['/nonexistent/program'], process.env, quick);
    await expect(ended).rejects.toThrow('ENOENT');
    stop();
  });
});
