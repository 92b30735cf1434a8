#!/usr/bin/env node
/** `node hack/changelog.ts VERSION [DATE]`: moves the fragments of changelog.d into CHANGELOG.md, under the new version. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withRelease } from './changelog/release.ts';

const root = join(import.meta.dirname, '..');
const directory = join(root, 'changelog.d');
const file = join(root, 'CHANGELOG.md');
const [version, date = new Date().toISOString().slice(0, 10)] = process.argv.slice(2);
if (version === undefined) throw new Error('say which version: node hack/changelog.ts 0.2.0');

const names = (await readdir(directory)).filter((name) => name !== 'README.md').sort();
const fragments = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
await writeFile(file, withRelease(await readFile(file, 'utf8'), { version, date }, fragments));
for (const name of names) await rm(join(directory, name));
console.log(`${names.length} fragments are in CHANGELOG.md under ${version} now`);
