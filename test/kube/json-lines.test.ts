import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BadResponse } from '../../src/kube/errors.ts';
import { jsonLines } from '../../src/kube/json-lines.ts';

async function* pieces(text: string, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield Buffer.alloc(2 ** 20, 'x');
}

test('lines of JSON are read whole, however they arrive', async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 100 });
  const values = fc.array(fc.jsonValue(), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(values, sizes, fc.constantFrom('', '\n', '\n\n'), async (values, sizes, end) => {
      const sent = ['ä😀', ...values].map((value) => JSON.stringify(value));
      const read: string[] = [];
      for await (const value of jsonLines(pieces(sent.join('\n') + end, sizes), 'watch')) {
        read.push(JSON.stringify(value));
      }
      expect(read).toEqual(sent);
    }),
  );
});

test('a line that is not JSON is an error, after what came before', async () => {
  const lines = jsonLines(pieces('1\n{"half":\n2\n', []), 'watch things');
  expect(await lines.next()).toEqual({ done: false, value: 1 });
  await expect(lines.next()).rejects.toThrow(BadResponse);
});

test('a line without end is an error before it fills the memory', async () => {
  await expect(jsonLines(endless(), 'watch things').next()).rejects.toThrow('not a line of JSON');
});
