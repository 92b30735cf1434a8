import { API_VERSION } from '../../crds/api.ts';
import { VMRestoreSpec } from '../../crds/vmrestore.ts';
import { UsageError } from '../exit-code.ts';

/** What the user says of a restore. */
export interface RestoreWish {
  /** A new VM of this name. */
  readonly to?: string | undefined;
  readonly inPlace: boolean;
  /** Claims alone. */
  readonly disks: boolean;
  readonly prefix?: string | undefined;
  readonly start: boolean;
  readonly keepIdentity: boolean;
  readonly stop: boolean;
  readonly volume?: readonly string[] | undefined;
  readonly storageClass?: readonly string[] | undefined;
  readonly accessMode?: readonly string[] | undefined;
  readonly volumeMode?: string | undefined;
  readonly withoutPersistentState: boolean;
  readonly verifyFirst: boolean;
  readonly dryRun: boolean;
}

/** What is restored, and the VM that it was. */
export interface WishedSource {
  readonly vm: string;
  readonly source: VMRestoreSpec['source'];
}

/** `nas:cluster/shop/db-1a2b3c4d/20261123T020000Z-5e6f7a8b`, as `kubectl tidemark repo backups` shows the path. */
export function sourceAt(text: string): WishedSource {
  const [, repository, path, vm] =
    /^([^:]+):(?:\.?\/)*([^/]+\/[^/]+\/([^/]+)-[^/-]+\/[^/]+?)\/?$/.exec(text) ?? [];
  if (repository === undefined || path === undefined || vm === undefined) {
    const form = '<repository>:<cluster id>/<namespace>/<vm>-<uid8>/<backup id>';
    throw new UsageError(
      `--from takes ${form}, with a path that 'kubectl tidemark repo backups' shows, not '${text}'`,
    );
  }
  return { vm, source: { repositoryPath: { repository, path } } };
}

/**
 * The VMRestore that does what is wished, with nothing in it that was not said.
 * @throws UsageError when the API server would refuse it
 */
export function restoreFor(
  wish: RestoreWish,
  { vm, source }: WishedSource,
  metadata: { readonly name: string; readonly namespace: string },
) {
  const { volume, storageClass, accessMode, volumeMode, withoutPersistentState, verifyFirst, dryRun } = wish;
  const spec = {
    source,
    target: targetOf(wish, vm),
    ...(volume !== undefined && { volumes: [...volume] }),
    ...(storageClass !== undefined && { storageClassMap: Object.fromEntries(storageClass.map(classPair)) }),
    ...(accessMode !== undefined && { accessModes: [...accessMode] }),
    ...(volumeMode !== undefined && { volumeMode }),
    ...(withoutPersistentState && { withoutPersistentState }),
    ...(verifyFirst && { verifyFirst }),
    ...(dryRun && { dryRun }),
  };
  const read = VMRestoreSpec.safeParse(spec);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new UsageError(`${issue?.path.join('.') ?? 'the restore'}: ${issue?.message ?? 'cannot be read'}`);
  }
  return { apiVersion: API_VERSION, kind: 'VMRestore', metadata, spec };
}

function targetOf({ to, inPlace, disks, prefix, start, keepIdentity, stop }: RestoreWish, vm: string) {
  if ([to !== undefined, inPlace, disks].filter(Boolean).length !== 1)
    throw new UsageError(
      'say where it goes: --to NAME for a new VM, --in-place for the VM that it was, or --disks for claims alone',
    );
  if (to === undefined && (start || keepIdentity))
    throw new UsageError('--start and --keep-identity are for a new VM (--to)');
  if (!inPlace && stop) throw new UsageError('--stop is for a restore in place (--in-place)');
  if (!disks && prefix !== undefined) throw new UsageError('--prefix is for claims alone (--disks)');
  if (to !== undefined)
    return {
      newVM: {
        name: to,
        ...(start && { runStrategy: 'Always' as const }),
        ...(keepIdentity && { identity: 'Keep' as const }),
      },
    };
  if (inPlace) return { inPlace: { vmName: vm, ...(stop && { stopVM: true }) } };
  return { claims: prefix === undefined ? {} : { prefix } };
}

/** `ceph=fast` for the disks that were on ceph, `fast` for all others. */
function classPair(text: string): readonly [string, string] {
  const parts = text.split('=');
  const [from = '', to = ''] = parts.length === 1 ? ['*', text] : parts;
  if (from === '' || to === '' || parts.length > 2)
    throw new UsageError(`--storage-class takes NEW or OLD=NEW, not '${text}'`);
  return [from, to];
}
