import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { bundle, EntryMissing } from '../../../hack/build/bundle.ts';

const exec = promisify(execFile);

/** A project in a temporary directory: file name → text. */
async function project(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-build-'));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return root;
}

test('a program becomes one executable file that runs anywhere', async () => {
  const root = await project({
    'src/main.ts':
      "#!/usr/bin/env node\nimport legacy from './legacy.cjs';\nconsole.log(legacy.hello as string);",
    // Packages in CommonJS require built-in modules while they load.
    'src/legacy.cjs': "exports.hello = require('node:path').basename('/far/away');",
  });
  await bundle(root, join(root, 'dist'), { tool: 'src/main.ts' });
  const { stdout } = await exec(join(root, 'dist/tool.js'), [], {
    cwd: tmpdir(),
    env: { ...process.env, PATH: `${join(process.execPath, '..')}:${process.env['PATH']}` },
  });
  expect(stdout).toBe('away\n');
});

test('the file has a shebang, a source map, and is executable for all', async () => {
  const root = await project({ 'src/main.ts': 'console.log(1)' });
  await bundle(root, join(root, 'dist'), { tool: 'src/main.ts' });
  expect(await readFile(join(root, 'dist/tool.js'), 'utf8')).toMatch(
    /^#!\/usr\/bin\/env node\n[^]*sourceMappingURL=tool\.js\.map/,
  );
  expect((await stat(join(root, 'dist/tool.js'))).mode & 0o777).toBe(0o755);
  expect(await readdir(join(root, 'dist'))).toContain('tool.js.map');
});

test('the names of errors survive', async () => {
  const root = await project({
    'src/main.ts':
      'class DiskFull extends Error {}\nconsole.log(DiskFull.name, new DiskFull().constructor.name);',
  });
  await bundle(root, join(root, 'dist'), { tool: 'src/main.ts' });
  expect((await exec(process.execPath, [join(root, 'dist/tool.js')])).stdout).toBe('DiskFull DiskFull\n');
});

test('what was built before is gone', async () => {
  const root = await project({ 'src/main.ts': '1', 'dist/old.js': '1' });
  await bundle(root, join(root, 'dist'), { tool: 'src/main.ts' });
  expect(await readdir(join(root, 'dist'))).not.toContain('old.js');
});

test('missing entry points are all named, and nothing is touched', async () => {
  const root = await project({ 'src/main.ts': '1', 'dist/old.js': '1' });
  const build = bundle(root, join(root, 'dist'), { a: 'src/a.ts', b: 'src/main.ts', c: 'src/c.ts' });
  await expect(build).rejects.toThrow(EntryMissing);
  await expect(build).rejects.toThrow(`cannot build: src/a.ts, src/c.ts not found in ${root}`);
  expect(await readdir(join(root, 'dist'))).toEqual(['old.js']);
});
