import type { DamagedBackup } from '../crds/upkeep.ts';
import type { VMBackupRepository } from '../crds/vmbackuprepository.ts';
import { vmDirectoryOf } from './names.ts';

/** What the scrub knows to be damaged. */
export interface KnownDamage {
  /** The damage in the chain of a backup, which makes a new full wise; undefined if none is known. */
  readonly ofChain: (path: string, chainId: string) => DamagedBackup | undefined;
}

/** Reads a repository's known damage. A directory whose manifest cannot be read may be of any chain of its VM. */
export function damageOf(repository: Pick<VMBackupRepository, 'status'> | undefined): KnownDamage {
  const damaged = repository?.status?.scrub?.damaged ?? [];
  return {
    ofChain: (path, chainId) =>
      damaged.find(
        (each) =>
          vmDirectoryOf(each.path) === vmDirectoryOf(path) &&
          (each.chain === undefined || each.chain === chainId),
      ),
  };
}
