import { resolve } from 'node:path';
import type { Manifest } from '../../domain/manifest.ts';
import { readArguments } from '../arguments.ts';
import { ExitCode } from '../errors.ts';
import { type Found, findBackups } from '../repository/catalogue.ts';
import { Fault } from '../repository/faults.ts';
import { formatBytes, formatTable, writeJson } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE = 'list REPOSITORY [--json]';
const HEADINGS = ['PATH', 'VM', 'TYPE', 'WHY', 'CHAIN', 'CREATED', 'VOLUMES', 'STORED'] as const;

/** Shows what a repository holds, without any cluster. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(
    args,
    { json: { type: 'boolean', default: false } },
    1,
    USAGE,
  );
  const rows: (readonly string[])[] = [HEADINGS];
  for await (const found of findBackups(resolve(positionals[0]!))) {
    if (values.json) writeJson(world, describe(found));
    else rows.push(row(found));
  }
  if (!values.json) world.stdout.write(rows.length === 1 ? 'no backups here\n' : `${formatTable(rows)}\n`);
  return ExitCode.ok;
}

function describe({ path, manifest }: Found): object {
  if (manifest instanceof Fault) {
    return { event: 'backup', path, reason: manifest.reason, message: manifest.message, manifest: null };
  }
  return { event: 'backup', path, reason: null, message: null, manifest };
}

function row({ path, manifest }: Found): readonly string[] {
  if (manifest instanceof Fault) return [path, '', manifest.reason];
  const { vm, type, reason, chain, backup, volumes } = manifest;
  const name = vm.name ? `${vm.namespace}/${vm.name}` : '-';
  const names = volumes.map(({ name }) => name).join(',');
  return [
    path,
    name,
    type,
    reason,
    `${chain.id}#${chain.position}`,
    backup.createdAt,
    names,
    formatBytes(storedBytes(manifest)),
  ];
}

function storedBytes({ volumes }: Manifest): number {
  return volumes.reduce((sum, { image, sums }) => sum + image.bytes + sums.bytes, 0);
}
