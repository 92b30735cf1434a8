import { access, chmod, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

/** A program of the image: name of the file under dist/ → its entry point. */
export type Programs = Readonly<Record<string, string>>;

/** Source files that a build needs and that are not there. */
export class EntryMissing extends Error {
  readonly reason = 'EntryMissing';

  constructor(root: string, entries: readonly string[]) {
    super(`cannot build: ${entries.join(', ')} not found in ${root}`);
    this.name = 'EntryMissing';
  }
}

/** CommonJS packages within the bundle call `require`, which an ES module does not have. */
const REQUIRE =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** A source may have a shebang, to be run unbuilt; in the bundle there is room for one only. */
const withoutShebang: Plugin = {
  name: 'without-shebang',
  setup: (build) =>
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(/^#!.*/, ''),
      loader: 'ts',
    })),
};

/** zod brings its messages in fifty languages: half of a small program. We speak one, which it asks for by itself. */
const oneLanguage: Plugin = {
  name: 'one-language',
  setup: (build) =>
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
    })),
};

/**
 * Bundles each program, with every package it uses, into one executable file `<outDir>/<name>.js`.
 *
 * Minified, because a bundle loads four times faster that way; with names kept and a source map beside it, because a
 * stack trace in a log must say where. Licences of the bundled packages land in `<name>.js.LEGAL.txt`.
 *
 * @throws {EntryMissing} before anything is written.
 */
export async function bundle(root: string, outDir: string, programs: Programs): Promise<void> {
  const entries = Object.values(programs);
  const there = await Promise.all(entries.map((entry) => exists(join(root, entry))));
  const missing = entries.filter((_, index) => !there[index]);
  if (missing.length > 0) throw new EntryMissing(root, missing);
  await rm(outDir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: Object.entries(programs).map(([out, entry]) => ({ in: join(root, entry), out })),
    outdir: outDir,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minify: true,
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'linked',
    banner: { js: `#!/usr/bin/env node\n${REQUIRE}` },
    plugins: [withoutShebang, oneLanguage],
    logLevel: 'warning',
  });
  for (const name of Object.keys(programs)) await chmod(join(outDir, `${name}.js`), 0o755);
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
