import type { UpkeepStatus } from '../../crds/upkeep.ts';
import type { VMBackupRepository, VMBackupRepositoryStatus } from '../../crds/vmbackuprepository.ts';
import { SCRUB_ANNOTATION, SYNC_ANNOTATION } from '../labels.ts';
import type { Work } from './decide-upkeep.ts';

type Repository = Pick<VMBackupRepository, 'metadata' | 'status'>;

/** The value of the annotation that asks for a listing, if nobody has followed it yet. */
export function askedListing({ metadata, status }: Repository): string | undefined {
  const asked = metadata.annotations?.[SYNC_ANNOTATION];
  return asked === status?.catalogue?.trigger ? undefined : asked;
}

/** The value of the annotation that asks for a scrub of everything, if nobody has followed it yet. */
export function askedScrub({ metadata, status }: Repository): string | undefined {
  const asked = metadata.annotations?.[SCRUB_ANNOTATION];
  return asked === status?.scrub?.trigger ? undefined : asked;
}

/**
 * What a Job that begins now is for. Who asks while one is under way is not answered by that one: it may have passed what he asks for.
 * So a listing half-way through, begun for somebody else or for nobody, begins anew.
 */
export function beginFor(
  repository: Repository,
  work: Work,
): { readonly follows: UpkeepStatus['follows']; readonly catalogue: VMBackupRepositoryStatus['catalogue'] } {
  const { upkeep, catalogue } = repository.status ?? {};
  const { sync, scrub } = upkeep?.follows ?? {};
  if (work === 'Catalogue') {
    const asked = askedListing(repository);
    return { follows: told(asked, scrub), catalogue: asked === sync ? catalogue : fromTheBegin(catalogue) };
  }
  return { follows: work === 'Scrub' ? told(sync, askedScrub(repository)) : upkeep?.follows, catalogue };
}

function told(sync: string | undefined, scrub: string | undefined): UpkeepStatus['follows'] {
  return { ...(sync !== undefined && { sync }), ...(scrub !== undefined && { scrub }) };
}

function fromTheBegin(catalogue: VMBackupRepositoryStatus['catalogue']) {
  if (catalogue === undefined) return undefined;
  const { next: _, ...rest } = catalogue;
  return rest;
}
