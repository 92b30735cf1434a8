import { describe, expect, test } from 'vitest';
import type { VMBackupListing, VMBackupListingStatus } from '../../../src/crds/vmbackuplisting.ts';
import { decideListing, type ListingWorld } from '../../../src/domain/listing/decide.ts';
import { ago, NOW, repository } from '../builders.ts';

const why = { reason: 'FailedMount', message: 'no such export' };

function listing(namespace = 'shop', status?: VMBackupListingStatus): VMBackupListing {
  return {
    metadata: { name: 'l', namespace, uid: 'l' },
    spec: { repository: 'nas' },
    ...(status && { status }),
  };
}

function decide(changes: Partial<ListingWorld> = {}) {
  const world: ListingWorld = {
    ...{ listing: listing(), repository: repository(), systemNamespace: 'tidemark-system', jobName: 'j' },
    ...{ job: { kind: 'Absent' }, ahead: 0, running: 0 },
    ...changes,
  };
  const step = decideListing(world, NOW);
  return 'why' in step ? `${step.kind} ${step.why.reason}` : step.kind;
}

const serving = (allowedNamespaces: string[]) => {
  const nas = repository();
  return { ...nas, spec: { ...nas.spec, allowedNamespaces } };
};

describe('a listing', () => {
  test.each<[string, Partial<ListingWorld>, string]>([
    ['begins', {}, 'Begin'],
    ['fails without its repository', { repository: undefined }, 'Fail RepositoryNotFound'],
    [
      'fails where its namespace is not served',
      { repository: serving(['bank']) },
      'Fail NamespaceNotAllowed',
    ],
    [
      'of the administrator needs no permission',
      { repository: serving(['bank']), listing: listing('tidemark-system') },
      'Begin',
    ],
    ['waits for its repository', { repository: repository('False') }, 'Wait RepositoryNotReady'],
    ['waits for those of its namespace that are older', { ahead: 1 }, 'Wait ListingQueued'],
    ['waits while many run', { running: 4 }, 'Wait ListingQueued'],
    ['says what its Job waits for', { job: { kind: 'Waiting', why, since: ago(170) } }, 'Wait FailedMount'],
    [
      'gives up a Job that does not begin',
      { job: { kind: 'Waiting', why, since: ago(180) } },
      'Fail JobNotStarted',
    ],
    [
      'says that it reads',
      { job: { kind: 'Running', progress: undefined, lastLine: undefined } },
      'Wait Listing',
    ],
    ['says why its Job failed', { job: { kind: 'Failed', why } }, 'Fail FailedMount'],
    ['is read when its Job is done', { job: { kind: 'Succeeded' } }, 'Read'],
    ['stays for an hour', { listing: listing('shop', { completedAt: ago(3599) }) }, 'Nothing'],
    ['is removed then', { listing: listing('shop', { completedAt: ago(3600) }) }, 'Remove'],
  ])('%s', (_, changes, step) => {
    expect(decide(changes)).toBe(step);
  });
});
