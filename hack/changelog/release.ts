/** The kinds of change, in the order in which a release tells them: https://keepachangelog.com/en/1.1.0/ */
const KINDS = ['Added', 'Changed', 'Fixed', 'Removed'] as const;

export interface Release {
  readonly version: string;
  /** YYYY-MM-DD */
  readonly date: string;
}

/** A fragment that is not one line beginning with a kind. */
export class FragmentInvalid extends Error {
  readonly reason = 'FragmentInvalid';

  constructor(fragment: string) {
    super(
      `a fragment is one line that begins with ${KINDS.join(':, ')}:, and this is not: ${fragment.trim()}`,
    );
    this.name = 'FragmentInvalid';
  }
}

/**
 * The changelog with one more release, above the others.
 * @throws FragmentInvalid
 */
export function withRelease(
  changelog: string,
  { version, date }: Release,
  fragments: readonly string[],
): string {
  const entries = fragments.map(parse);
  const parts = KINDS.flatMap((kind) => {
    const lines = entries.filter((entry) => entry.kind === kind).map(({ text }) => `- ${text}`);
    return lines.length === 0 ? [] : [`### ${kind}\n\n${lines.join('\n')}`];
  });
  const section = [`## ${version} (${date})`, ...parts].join('\n\n');
  const first = changelog.search(/^## /m);
  const [head, rest] =
    first < 0 ? [changelog.trimEnd(), ''] : [changelog.slice(0, first).trimEnd(), changelog.slice(first)];
  return `${head}\n\n${section}\n${rest === '' ? '' : `\n${rest}`}`;
}

function parse(fragment: string): { kind: (typeof KINDS)[number]; text: string } {
  const [, word, text] = /^(\w+): ([^\n]+)\n?$/.exec(fragment) ?? [];
  const kind = KINDS.find((it) => it === word);
  if (kind === undefined || text === undefined) throw new FragmentInvalid(fragment);
  return { kind, text };
}
