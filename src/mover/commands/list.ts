import { resolve } from 'node:path';
import type { Manifest } from '../../domain/manifest.ts';
import { isInScope } from '../../domain/listing/scope.ts';
import { type BriefBackup, brief, type ListResult } from '../../domain/upkeep/brief.ts';
import { readArguments } from '../arguments.ts';
import { ExitCode, UsageError } from '../errors.ts';
import { type Found, findBackups } from '../repository/catalogue.ts';
import { Fault } from '../repository/faults.ts';
import { formatBytes, formatTable, writeJson } from '../terminal.ts';
import type { World } from '../world.ts';

const USAGE =
  'list REPOSITORY [--json | --page 500] [--from PATH] [--within CLUSTER/NAMESPACE …] [--vm NAME]';
const options = {
  json: { type: 'boolean', default: false },
  page: { type: 'string' },
  from: { type: 'string' },
  within: { type: 'string', multiple: true },
  vm: { type: 'string' },
} as const;
/** A page is handed on by a log, of which a node keeps some 10 MiB. */
const PAGE_CHARACTERS = 2 * 1024 * 1024;
const HEADINGS = ['PATH', 'VM', 'TYPE', 'WHY', 'CHAIN', 'CREATED', 'VOLUMES', 'STORED'] as const;

/** Shows what a repository holds, without any cluster. */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { values, positionals } = readArguments(args, options, 1, USAGE);
  const root = resolve(positionals[0]!);
  const scope = { within: values.within, vmName: values.vm };
  const all = findBackups(root, values.from, (parts) => isInScope(scope, parts));
  if (values.page !== undefined) return await listPage(all, values.page, world);
  const rows: (readonly string[])[] = [HEADINGS];
  for await (const found of all) {
    if (values.json) writeJson(world, describe(found));
    else rows.push(row(found));
  }
  if (!values.json) world.stdout.write(rows.length === 1 ? 'no backups here\n' : `${formatTable(rows)}\n`);
  return ExitCode.ok;
}

/** A page for programs: one line with the few facts of each backup, then where the next page begins. */
async function listPage(all: AsyncIterable<Found>, page: string, world: World): Promise<ExitCode> {
  if (!/^[1-9]\d{0,5}$/.test(page))
    throw new UsageError('UsageError', `--page must be a number, not "${page}"`);
  let backups = 0;
  let characters = 0;
  let next: string | null = null;
  for await (const { path, manifest } of all) {
    if (backups === Number(page) || characters > PAGE_CHARACTERS) {
      next = path;
      break;
    }
    const told = manifest instanceof Fault ? unreadable(path, manifest) : brief(path, manifest);
    backups += 1;
    characters += JSON.stringify(told).length;
    writeJson(world, told);
  }
  const result: ListResult = { event: 'result', command: 'list', backups, next };
  writeJson(world, result);
  return ExitCode.ok;
}

function unreadable(path: string, { reason, detail }: Fault): BriefBackup {
  return { event: 'backup', path, reason, message: detail.slice(0, 200), backup: null };
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
