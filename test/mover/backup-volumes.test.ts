import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Aborted } from '../../src/mover/errors.ts';
import { backup, failureOf, jobFor, temporaryDirectory } from './support/backup-rig.ts';
import { type FakeDisk, type FakeServer, serveFake } from './support/fake-nbd-server.ts';

/** Several volumes of one backup. */

const SIZE = 512 * 1024;
const content = randomBytes(SIZE);

async function serve(disk: Partial<FakeDisk> = {}): Promise<FakeServer> {
  const started = await serveFake({ content, ...disk });
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

const full = (from: FakeServer) => ({ name: 'vda', type: 'Full', source: from.address.uri }) as const;

/** Serves volumes whose reads are answered only when as many servers as `together` have been asked. */
async function gated(together: number, names: readonly string[]) {
  const asked = new Set<string>();
  const open = Promise.withResolvers<void>();
  const volumes = names.map(async (name) => {
    const answer: FakeDisk['answer'] = async (_, honest) => {
      asked.add(name);
      if (asked.size >= together) open.resolve();
      await open.promise;
      return honest;
    };
    return { ...full(await serve({ answer })), name };
  });
  return { volumes: await Promise.all(volumes), asked };
}

test('several volumes are copied two at a time unless told otherwise', async () => {
  const { volumes } = await gated(2, ['a', 'b', 'c', 'd']);
  const { volumes: copied } = await backup(jobFor(root(), 'b0', volumes));
  expect(copied.map(({ name, dataBytes }) => [name, dataBytes])).toEqual(
    ['a', 'b', 'c', 'd'].map((name) => [name, SIZE]),
  );
});

test('several volumes are copied one after another if so told', async () => {
  const { volumes, asked } = await gated(2, ['a', 'b']);
  const abort = new AbortController();
  const copying = failureOf(backup(jobFor(root(), 'b0', volumes, { parallel: 1 }), abort.signal));
  await vi.waitUntil(() => asked.size > 0);
  await sleep(200);
  expect([...asked]).toEqual(['a']);
  abort.abort(new Aborted('a test'));
  expect((await copying).reason).toBe('Aborted');
});

test('several volumes share one limit', async () => {
  const server = await serve();
  const volumes = ['a', 'b'].map((name) => Object.assign(full(server), { name }));
  const started = performance.now();
  await backup(jobFor(root(), 'b0', volumes, { limitBytesPerSecond: 2 * SIZE }));
  // A MiB at a MiB a second, less the first pieces and what may be caught up.
  expect(performance.now() - started).toBeGreaterThan(750);
});

function root(): string {
  const directory = temporaryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  return directory.path;
}
