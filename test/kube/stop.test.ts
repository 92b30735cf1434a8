import { EventEmitter } from 'node:events';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { stopOnSignals } from '../../src/kube/stop.ts';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

const log = pino({ level: 'silent' });

test.each(['SIGTERM', 'SIGINT'])('%s aborts; a second one exits', (name) => {
  const source = new FakeProcess();
  using stop = stopOnSignals(60_000, log, source);
  expect(stop.signal.aborted).toBe(false);
  source.emit(name);
  expect(stop.signal.aborted).toBe(true);
  expect(source.exits).toEqual([]);
  source.emit(name);
  expect(source.exits).toEqual([1]);
});

test('what does not stop within its grace time exits', async () => {
  const source = new FakeProcess();
  using stop = stopOnSignals(20, log, source);
  source.emit('SIGTERM');
  expect(stop.signal.aborted).toBe(true);
  await expect.poll(() => source.exits, { timeout: 5000 }).toEqual([1]);
});

test('what has stopped takes its listeners along, and never exits', async () => {
  const source = new FakeProcess();
  {
    using stop = stopOnSignals(10, log, source);
    source.emit('SIGTERM');
    expect(stop.signal.aborted).toBe(true);
  }
  await new Promise((resolve) => {
    setTimeout(resolve, 30);
  });
  expect(source.exits).toEqual([]);
  expect(source.eventNames()).toEqual([]);
});
