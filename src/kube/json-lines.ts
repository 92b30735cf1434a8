import { BadResponse } from './errors.ts';

/** An object in etcd has at most 1.5 MiB, so a line this long (in characters) is not from an API server. */
const longestLine = 32 * 2 ** 20;

/**
 * Parses a stream of JSON values, one a line. The last one may lack its newline.
 * Throws BadResponse at a line that is not JSON: what follows it cannot be trusted either.
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>, what: string): AsyncGenerator {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) throw notJson(what, rest);
    for (const line of lines) if (line.trim() !== '') yield parseLine(line, what);
  }
  if (rest.trim() !== '') yield parseLine(rest, what);
}

function parseLine(line: string, what: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (cause) {
    throw notJson(what, line, cause);
  }
}

function notJson(what: string, line: string, cause?: unknown): BadResponse {
  return new BadResponse('BadResponse', `Cannot ${what}: not a line of JSON: ${line.slice(0, 200)}`, {
    cause,
  });
}
