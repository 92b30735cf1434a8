import { pino } from 'pino';
import { describe, expect, test, vi } from 'vitest';
import { type Cache, startCache } from '../../src/kube/cache.ts';
import { Unreadable } from '../../src/kube/errors.ts';
import { kubeOver } from '../../src/kube/http-kube.ts';
import {
  type Answer,
  type FakeApiServer,
  json,
  startFakeApiServer,
  status,
  watchLines,
} from './fake-api-server.ts';
import { FakeClock } from './fake-clock.ts';
import { listOf, rawThing, type Thing, things } from './things.ts';

// Real connections, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

interface Rig extends AsyncDisposable {
  readonly server: FakeApiServer;
  readonly cache: Cache<Thing>;
  readonly changes: string[];
  readonly errors: string[];
  /** Lists and watches that the server saw. */
  requests(): string[];
}

/** A cache on a server that answers the nth list and the nth watch so; the last of each stands for all that follow. */
async function rig(lists: readonly Answer[], watches: readonly Answer[]): Promise<Rig> {
  const server = await startFakeApiServer();
  let listed = 0;
  let watched = 0;
  server.answer = (response, request) => {
    const answers = request.query.has('watch') ? watches : lists;
    const nth = request.query.has('watch') ? watched++ : listed++;
    answers[Math.min(nth, answers.length - 1)]?.(response, request);
  };
  const stop = new AbortController();
  const errors: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void errors.push(line) });
  const clock = new FakeClock();
  // Moves on by itself, so that backoffs pass quickly.
  const ticking = setInterval(() => void clock.advance(1000), 2);
  const kube = kubeOver(server.transport());
  const cache = startCache(
    { kube, kind: things, selection: { namespace: 'ns' }, log, clock, random: () => 0 },
    stop.signal,
  );
  const changes: string[] = [];
  cache.onChange(({ key, old, new: now }) => {
    changes.push(`${key}: ${old?.spec.size ?? '-'} > ${now?.spec.size ?? '-'}`);
  });
  return {
    server,
    cache,
    changes,
    errors,
    requests: () =>
      server.seen.map(({ query }) => (query.has('watch') ? `watch ${query.get('resourceVersion')}` : 'list')),
    async [Symbol.asyncDispose]() {
      stop.abort();
      clearInterval(ticking);
      await cache.stopped;
      await server[Symbol.asyncDispose]();
    },
  };
}

const list =
  (version: number, ...items: object[]): Answer =>
  (response) =>
    json(response, 200, listOf(version, items));
const open: Answer = (response) => watchLines(response);
const event = (type: string, object: object): object => ({ type, object });
const bookmark = (version: string): object => event('BOOKMARK', { metadata: { resourceVersion: version } });
const grown: Answer = (response) => watchLines(response, event('MODIFIED', rawThing('a', 20, { size: 9 })));
const eventually = { timeout: 10_000, interval: 5 };

describe('a cache', () => {
  test('holds what is listed, then follows the watch', async () => {
    await using it = await rig(
      [list(10, rawThing('a', 1), rawThing('b', 2))],
      [
        (response) =>
          watchLines(
            response,
            event('MODIFIED', rawThing('a', 11, { size: 5 })),
            event('ADDED', rawThing('c', 12)),
            event('DELETED', rawThing('b', 13)),
          ),
      ],
    );
    await it.cache.synced;
    await vi.waitFor(() => expect(it.changes).toHaveLength(5), eventually);
    expect(it.changes).toEqual(['ns/a: - > 1', 'ns/b: - > 1', 'ns/a: 1 > 5', 'ns/c: - > 1', 'ns/b: 1 > -']);
    expect(it.cache.get('ns/a')?.spec.size).toBe(5);
    expect(it.cache.get({ namespace: 'ns', name: 'b' })).toBeUndefined();
    expect(it.cache.list(({ spec }) => spec.size === 1).map(({ metadata }) => metadata.name)).toEqual(['c']);
    expect(it.cache.health()).toMatchObject({ synced: true, error: undefined });
    expect(it.requests()).toEqual(['list', 'watch 10']);
    expect(it.server.seen[1]?.query.get('allowWatchBookmarks')).toBe('true');
  });

  test('gives out frozen objects', async () => {
    await using it = await rig([list(1, rawThing('a', 1, { size: 1, tags: ['x'] }))], [open]);
    await it.cache.synced;
    const thing = it.cache.get('ns/a');
    expect(Object.isFrozen(thing)).toBe(true);
    expect(Object.isFrozen(thing?.spec.tags)).toBe(true);
  });

  test('tells a late handler what is there already', async () => {
    await using it = await rig([list(1, rawThing('a', 1), rawThing('b', 1))], [open]);
    await it.cache.synced;
    const keys: string[] = [];
    const leave = it.cache.onChange(({ key }) => void keys.push(key));
    expect(keys).toEqual(['ns/a', 'ns/b']);
    leave();
  });

  test('survives a handler that throws', async () => {
    await using it = await rig(
      [list(1, rawThing('a', 1))],
      [(response) => watchLines(response, event('ADDED', rawThing('b', 2)))],
    );
    it.cache.onChange(() => {
      throw new Error('bug');
    });
    await vi.waitFor(() => expect(it.changes).toEqual(['ns/a: - > 1', 'ns/b: - > 1']), eventually);
  });

  test('keeps an index by whatever is computed from an object', async () => {
    await using it = await rig(
      [list(1, rawThing('a', 1, { size: 1, tags: ['x', 'y'] }), rawThing('b', 1, { size: 1, tags: ['x'] }))],
      [
        (response) =>
          watchLines(
            response,
            event('MODIFIED', rawThing('a', 2, { size: 1, tags: ['z'] })),
            event('DELETED', rawThing('b', 3)),
          ),
      ],
    );
    const byTag = it.cache.indexBy(({ spec }) => spec.tags);
    const names = (tag: string): string[] => byTag(tag).map(({ metadata }) => metadata.name);
    await vi.waitFor(() => expect(names('z')).toEqual(['a']), eventually);
    await vi.waitFor(() => expect(names('x')).toEqual([]), eventually);
    expect(names('y')).toEqual([]);
  });

  test('reads a list page by page, and in one piece if a page token expires', async () => {
    await using it = await rig(
      [
        (response) => json(response, 200, listOf(7, [rawThing('a', 1)], 'two')),
        (response) =>
          json(response, 410, status(410, 'Expired', 'The provided continue parameter is too old')),
        list(9, rawThing('a', 1), rawThing('b', 1)),
      ],
      [open],
    );
    await it.cache.synced;
    expect(it.cache.list()).toHaveLength(2);
    const queries = it.server.seen.map(({ query }) => [query.get('limit'), query.get('continue')]);
    expect(queries.slice(0, 3)).toEqual([
      ['500', null],
      ['500', 'two'],
      [null, null],
    ]);
    await vi.waitFor(() => expect(it.requests().at(-1)).toBe('watch 9'), eventually);
  });
});

const bad: readonly { name: string; answer: Answer }[] = [
  { name: '401', answer: (response) => json(response, 401, status(401, 'Unauthorized', 'no')) },
  { name: '403', answer: (response) => json(response, 403, status(403, 'Forbidden', 'no')) },
  {
    name: '404 of a CRD that is not there yet',
    answer: (response) => void response.writeHead(404).end('404 page not found'),
  },
  { name: '410', answer: (response) => json(response, 410, status(410, 'Gone', 'too old')) },
  {
    name: '429',
    answer: (response) => json(response, 429, status(429, 'TooManyRequests', 'busy'), { 'Retry-After': '3' }),
  },
  { name: '500', answer: (response) => json(response, 500, status(500, 'InternalError', 'etcd')) },
  { name: 'no answer but a reset', answer: (response) => void response.socket?.resetAndDestroy() },
  { name: 'garbage', answer: (response) => void response.writeHead(200).end('<html>\n') },
  { name: 'JSON of another shape', answer: (response) => json(response, 200, { items: 'none' }) },
  {
    name: 'a connection cut in the middle of a line',
    answer: (response) => {
      response.writeHead(200);
      response.write('{"type":"ADDED","object":{"metad', () => response.socket?.destroy());
    },
  },
];

describe('a cache goes on', () => {
  test.each(bad)('when lists are answered with $name', async ({ answer }) => {
    await using it = await rig([answer, answer, answer, list(5, rawThing('a', 1))], [open]);
    await it.cache.synced;
    expect(it.cache.get('ns/a')?.spec.size).toBe(1);
    expect(it.requests().filter((request) => request === 'list')).toHaveLength(4);
  });

  test.each(bad)('when watches are answered with $name', async ({ answer }) => {
    await using it = await rig([list(5, rawThing('a', 1))], [answer, answer, answer, grown]);
    await vi.waitFor(() => expect(it.cache.get('ns/a')?.spec.size).toBe(9), eventually);
    expect(it.changes).toEqual(['ns/a: - > 1', 'ns/a: 1 > 9']);
  });

  test.each([
    {
      name: 'an ERROR event: too old',
      last: event('ERROR', status(410, 'Expired', 'too old resource version')),
      next: 'list',
    },
    { name: 'an event of an unknown type', last: { type: 'SURPRISE', object: {} }, next: 'list' },
    { name: 'an object without a name', last: event('ADDED', { metadata: {} }), next: 'list' },
  ])('with a fresh list after $name, and tells what it missed', async ({ last, next }) => {
    await using it = await rig(
      [
        list(5, rawThing('a', 1), rawThing('b', 2)),
        list(30, rawThing('b', 29, { size: 7 }), rawThing('c', 30)),
      ],
      [(response) => watchLines(response, event('ADDED', rawThing('d', 6)), last), open],
    );
    await vi.waitFor(() => expect(it.changes).toHaveLength(7), eventually);
    expect(it.requests()).toContain(next);
    expect(it.changes.slice(3).toSorted()).toEqual([
      'ns/a: 1 > -',
      'ns/b: 1 > 7',
      'ns/c: - > 1',
      'ns/d: 1 > -',
    ]);
    await vi.waitFor(
      () => expect(it.requests()).toEqual(['list', 'watch 5', 'list', 'watch 30']),
      eventually,
    );
  });

  test('from the last bookmark, without a list, when the watch ends or is cut', async () => {
    await using it = await rig(
      [list(5, rawThing('a', 1))],
      [
        (response) => {
          watchLines(response, bookmark('40'));
          response.end();
        },
        (response) => {
          watchLines(response, event('ADDED', rawThing('b', 41)));
          setTimeout(() => response.socket?.destroy(), 20);
        },
        open,
      ],
    );
    await vi.waitFor(
      () => expect(it.requests()).toEqual(['list', 'watch 5', 'watch 40', 'watch 41']),
      eventually,
    );
  });

  test('through an hour of no events, with a watch now and then and no list, and hears what comes after it', async () => {
    const server = await startFakeApiServer();
    const clock = new FakeClock();
    const hour = 3_600_000;
    const began = clock.now();
    server.answer = (response, { query }) => {
      if (!query.has('watch')) return json(response, 200, listOf(5, [rawThing('a', 1)]));
      if (clock.now() - began >= hour) return grown(response, server.seen.at(-1)!);
      // Says nothing until its time is over.
      void clock
        .advance(Number(query.get('timeoutSeconds')) * 1000)
        .then(() => response.writeHead(200).end());
    };
    const stop = new AbortController();
    const cache = startCache(
      {
        kube: kubeOver(server.transport()),
        kind: things,
        log: pino({ level: 'silent' }),
        clock,
        random: () => 0,
      },
      stop.signal,
    );
    await vi.waitFor(() => expect(cache.get('ns/a')?.spec.size).toBe(9), eventually);
    // Twelve watches of five minutes, and the one that heard.
    expect(server.seen.map(({ query }) => query.has('watch'))).toEqual([false, ...Array(13).fill(true)]);
    stop.abort();
    await cache.stopped;
    await server[Symbol.asyncDispose]();
  });

  test('without a hot loop when the server ends each watch at once', async () => {
    const server = await startFakeApiServer();
    const clock = new FakeClock();
    server.answer = (response, { query }) =>
      query.has('watch') ? void response.writeHead(200).end() : json(response, 200, listOf(5, []));
    const stop = new AbortController();
    const log = pino({ level: 'silent' });
    const cache = startCache(
      { kube: kubeOver(server.transport()), kind: things, log, clock, random: () => 0 },
      stop.signal,
    );
    await cache.synced;
    // The clock stands still, so after the first short watch it waits for its backoff.
    await vi.waitFor(() => expect(clock.pending).toBe(1), eventually);
    expect(server.seen).toHaveLength(2);
    expect(cache.health().error).toContain('ends the watch at once');
    stop.abort();
    await cache.stopped;
    await server[Symbol.asyncDispose]();
  });
});

describe('an object that does not fit its schema', () => {
  test('is told and logged once, kept apart, and comes back when it is mended', async () => {
    const broken = rawThing('a', 1, { size: 'big' });
    await using it = await rig(
      [list(5, broken, rawThing('b', 2)), list(6, broken, rawThing('b', 2))],
      [
        (response) => watchLines(response, event('ERROR', status(410, 'Expired', 'too old'))),
        (response) =>
          setTimeout(() => watchLines(response, event('MODIFIED', rawThing('a', 7, { size: 2 }))), 100),
      ],
    );
    await it.cache.synced;
    expect(() => it.cache.get('ns/a')).toThrow(Unreadable);
    expect(() => it.cache.get('ns/a')).toThrow(/Thing ns\/a.*size/s);
    expect(it.cache.list().map(({ metadata }) => metadata.name)).toEqual(['b']);
    expect([...it.cache.unreadable().keys()]).toEqual(['ns/a']);
    await vi.waitFor(() => expect(it.cache.get('ns/a')?.spec.size).toBe(2), eventually);
    expect(it.cache.unreadable().size).toBe(0);
    expect(it.changes).toEqual(['ns/a: - > -', 'ns/b: - > 1', 'ns/a: - > 2']);
    expect(it.errors).toHaveLength(1);
  });
});

describe('a cache that is stopped', () => {
  test('before it was synced rejects who waits for it', async () => {
    const it = await rig([() => {}], [open]);
    const waiting = expect(it.cache.synced).rejects.toThrow();
    await it[Symbol.asyncDispose]();
    await waiting;
  });
});
