import { expect, test } from 'vitest';
import { candidatesFor } from '../../../src/cli/complete/words.ts';
import { program } from '../../../src/cli/program.ts';
import { sessionOn } from '../../../src/cli/session.ts';
import { written } from '../builders.ts';

const { signal } = new AbortController();
const root = program(sessionOn({ stdout: written(), stderr: written(), env: {}, now: () => 0, signal }));

test.each([
  [['st'], { words: ['status'] }],
  [['-n', 'shop', 'tr'], { words: ['tree'] }],
  [['status', '--all'], { words: ['--all-namespaces'] }],
  [['status', '-o', ''], { words: ['table', 'json', 'yaml'] }],
  [['status', '-o', 'j'], { words: ['json'] }],
  [['backup', 'db', '--quiesce', 'I'], { words: ['IfAvailable'] }],
  [['completion', 'z'], { words: ['zsh'] }],
  [['tree', ''], { words: [], argument: 'vm' }],
  [['why', '-n', 'shop', 'x'], { words: [], argument: 'backup' }],
  [['restore', '--dis'], { words: ['--disks'] }],
  [['restore', '--disks', ''], { words: [], argument: 'backup' }],
  [['protect', 'a', 'b', ''], { words: [], argument: 'vms' }],
  [['tree', 'db', ''], { words: [] }],
  [['backup', '--name', ''], { words: [] }],
  [['verify', ''], { words: [], argument: 'backup' }],
  [['repo', ''], { words: ['ls', 'backups', 'import', 'help'] }],
  [['repo', 'i'], { words: ['import'] }],
  [['repo', 'import', 'n'], { words: [], argument: 'repository' }],
  [['repo', 'ls', '--exit'], { words: ['--exit-code'] }],
  [['repo', 'ls', 'nas', ''], { words: [] }],
])('after %j come %j', (typed, expected) => {
  expect(candidatesFor(root, typed)).toEqual(expected);
});

test('with nothing typed come all commands, and none that is hidden', () => {
  const { words } = candidatesFor(root, ['']);
  expect(words).toContain('status');
  expect(words.filter((word) => word.startsWith('_'))).toEqual([]);
});
