import { describe, expect, test } from 'vitest';
import { answerTo, refusalOf, verificationLine } from '../../../src/cli/verify/answer.ts';
import type { Verification } from '../../../src/crds/upkeep.ts';
import { ago, backup, goodBackup, repository, repositorySpec } from '../../domain/builders.ts';

describe('what would never be answered is not asked', () => {
  const cephfs = { monitors: ['m'], path: '/', user: 'u', secretName: 's' };
  const onCeph = { ...repository(), spec: repositorySpec({ cephfs }) };
  test.each([
    ['a backup without data', backup({ name: 'b' }), repository(), "VMBackup 'b' has no data to verify"],
    ['one that is being deleted', goodBackup('b', { deletedAt: ago(1) }), repository(), 'is being deleted'],
    ['a repository that is away', goodBackup('b'), repository('False'), "'nas' is not ready: so."],
    ['one that no Job can mount', goodBackup('b'), onCeph, 'which only the node agents can mount'],
  ])('%s', (_, asked, into, words) => {
    expect(refusalOf(asked, into)).toContain(words);
  });

  test('but a good backup is, by a user who may not see the repository, too', () => {
    expect(refusalOf(goodBackup('b'), repository())).toBeUndefined();
    expect(refusalOf(goodBackup('b'), undefined)).toBeUndefined();
  });
});

describe('while it waits', () => {
  const seen = (verification?: Verification) => {
    const made = goodBackup('b');
    return { ...made, status: { ...made.status, ...(verification && { verification }) } };
  };
  const done: Verification = { trigger: 'now', bytesRead: 1, completedAt: ago(1), result: 'Good' };

  test('only the answer to this wish counts, and only when it is whole', () => {
    const answer = answerTo('now');
    expect(answer(seen())).toBeUndefined();
    expect(answer(seen({ ...done, trigger: 'before' }))).toBeUndefined();
    expect(answer(seen({ trigger: 'now', bytesRead: 1, cursor: 'x' }))).toBeUndefined();
    expect(answer(seen(done))).toEqual(done);
  });

  test('it says what for', () => {
    const shows = (object: ReturnType<typeof seen>) => verificationLine('now')(object).text;
    expect(shows(seen({ ...done, trigger: 'before' }))).toBe("waits for the Job: one at a time in 'nas'");
    expect(shows(seen({ ...done, bytesRead: 4096 }))).toBe('4.0Ki read');
    expect(shows(seen({ trigger: 'now', bytesRead: 2048, cursor: 'x' }))).toMatch(/^2\.0Ki read, gave way/);
  });
});
