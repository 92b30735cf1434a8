import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type MoverRun, runMover } from '../../../src/node-agent/mover-process/spawn.ts';

const place = { kind: 'Mounted', root: '/' } as const;

/** A mover whose whole program is one line of JavaScript. */
function moverThat(program: string, other: Partial<MoverRun> = {}): MoverRun {
  return {
    mover: [process.execPath, '-e', program, '--'],
    place,
    args: ['backup'],
    stallMs: 20_000,
    ...other,
  };
}

const say = (value: object) => `console.log(${JSON.stringify(JSON.stringify(value))});`;
const caught = (error: unknown) => error;

async function isGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await sleep(50);
  }
  return false;
}

describe('a mover run by the agent', () => {
  const { signal } = new AbortController();

  test('ends with its last word', async () => {
    const events: unknown[] = [];
    const run = moverThat(say({ event: 'progress' }) + say({ event: 'result', a: 1 }), {
      onEvent: (event) => events.push(event),
    });
    await expect(runMover(run, signal)).resolves.toEqual({ event: 'result', a: 1 });
    expect(events).toHaveLength(2);
  });

  test('reads its job as one line, while its input stays open', async () => {
    const program = `process.stdin.once('data', (d) => { console.log(JSON.stringify({ got: JSON.parse(d) })); process.exit(0) }); process.stdin.once('end', () => process.exit(9))`;
    await expect(runMover(moverThat(program, { job: '{"x":1}' }), signal)).resolves.toEqual({
      got: { x: 1 },
    });
  });

  test('fails with its own reason', async () => {
    const error = { event: 'error', reason: 'TargetFull', message: 'no room', volume: 'root', exitCode: 4 };
    const failed = await runMover(moverThat(`${say(error)}process.exit(4)`), signal).catch(caught);
    expect(failed).toMatchObject({
      name: 'MoverFailed',
      reason: 'TargetFull',
      message: 'no room',
      volume: 'root',
    });
  });

  test('that dies without a word is told with its last standard error', async () => {
    const failed = await runMover(
      moverThat(`console.error('mount: no such export'); process.exit(32)`),
      signal,
    ).catch(caught);
    expect(failed).toMatchObject({
      reason: 'MoverDied',
      message: expect.stringContaining('mount: no such export'),
    });
  });

  test('that says nothing for too long is stopped', async () => {
    const failed = await runMover(moverThat('setInterval(() => 0, 1000)', { stallMs: 300 }), signal).catch(
      caught,
    );
    expect(failed).toMatchObject({ reason: 'MoverStalled' });
  });

  test('that is stopped in the moment of its answer has answered all the same', async () => {
    const stop = new AbortController();
    const program = `process.on('SIGTERM', () => process.exit(0)); setInterval(() => 0, 1000); ${say({ event: 'result' })}`;
    const onEvent = () => stop.abort(new Error('stopped'));
    await expect(runMover(moverThat(program, { onEvent }), stop.signal)).resolves.toEqual({
      event: 'result',
    });
  });

  test('whose helper holds the pipes open and cannot be reached does not hold us', async () => {
    // In a session of its own, as little to be killed by us as a process that the kernel keeps.
    const program = `const c = require('child_process').spawn('sleep', ['60'], { detached: true, stdio: 'inherit' });
      console.log(JSON.stringify({ pid: c.pid })); setInterval(() => 0, 1000)`;
    let helper = 0;
    const onEvent = (event: unknown) => {
      helper = (event as { pid: number }).pid;
    };
    const patience = { termMs: 200, killMs: 200 };
    try {
      const failed = await runMover(moverThat(program, { onEvent, patience, stallMs: 1_000 }), signal).catch(
        caught,
      );
      expect(failed).toMatchObject({ reason: 'MoverStalled' });
      expect(helper).toBeGreaterThan(0);
    } finally {
      process.kill(helper, 'SIGKILL');
    }
  });

  test('that cannot be started is an error, not a crash', async () => {
    await expect(runMover({ ...moverThat(''), mover: ['/nonexistent/mover'] }, signal)).rejects.toThrow(
      'ENOENT',
    );
  });

  test('dies with its whole process group when the signal aborts', async () => {
    const stop = new AbortController();
    let helper = 0;
    const program = `const c = require('child_process').spawn('sleep', ['60']); console.log(JSON.stringify({ pid: c.pid })); setInterval(() => 0, 1000)`;
    const onEvent = (event: unknown) => {
      helper = (event as { pid: number }).pid;
      stop.abort(new Error('stopped'));
    };
    await expect(runMover(moverThat(program, { onEvent }), stop.signal)).rejects.toThrow('stopped');
    await expect(isGone(helper)).resolves.toBe(true);
  });

  test('sees none of our environment', async () => {
    process.env['TIDEMARK_TEST_SECRET'] = 'x';
    const program = `console.log(JSON.stringify({ keys: Object.keys(process.env) }))`;
    const told = (await runMover(moverThat(program), signal)) as { keys: string[] };
    delete process.env['TIDEMARK_TEST_SECRET'];
    expect(told.keys.sort()).toEqual(['LC_ALL', 'NODE_OPTIONS', 'PATH']);
  });
});
