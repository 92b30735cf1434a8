import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FragmentInvalid, withRelease } from '../../../hack/changelog/release.ts';

const root = join(import.meta.dirname, '../../..');
const release = { version: '0.2.0', date: '2026-12-01' };

test('a release stands above the others, its changes by kind', () => {
  const before = '# Changelog\n\n## 0.1.0 (2026-11-01)\n\n### Added\n\n- all\n';
  expect(withRelease(before, release, ['Fixed: b.\n', 'Added: a.\n', 'Fixed: c.\n'])).toBe(
    '# Changelog\n\n## 0.2.0 (2026-12-01)\n\n### Added\n\n- a.\n\n### Fixed\n\n- b.\n- c.\n\n## 0.1.0 (2026-11-01)\n\n### Added\n\n- all\n',
  );
});

test('the first release follows the heading', () => {
  expect(withRelease('# Changelog\n', release, ['Added: a.'])).toBe(
    '# Changelog\n\n## 0.2.0 (2026-12-01)\n\n### Added\n\n- a.\n',
  );
});

test.each(['a.', 'Improved: a.', 'Added: a.\nAdded: b.', 'Added:'])('%j is refused', (fragment) => {
  expect(() => withRelease('# Changelog\n', release, [fragment])).toThrow(FragmentInvalid);
});

test('the fragments that wait for the next release can be read', async () => {
  const directory = join(root, 'changelog.d');
  const names = (await readdir(directory)).filter((name) => name !== 'README.md');
  const fragments = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  const changelog = await readFile(join(root, 'CHANGELOG.md'), 'utf8');
  expect(withRelease(changelog, release, fragments)).toContain('## 0.2.0');
});
