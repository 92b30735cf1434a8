import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rights as controller } from '../../src/controller/rights.ts';
import type { Rights } from '../../src/kube/rights.ts';
import { rights as nodeAgent } from '../../src/node-agent/rights.ts';
import { type Asked, AUDIT_DIRECTORY, auditedIn } from '../support/control-plane/audit.ts';
import { run, scratchDirectory } from '../support/launcher/index.ts';

/** One right, so that it can be compared: `everywhere get core pods/log`. */
type Line = string;

const SYSTEM = 'tidemark-system';

/** What the code asks for, and no test with a real API server shows. */
const HIDDEN: readonly (readonly [right: RegExp, why: string])[] = [
  [
    / get backup.tidemark.dev vmbackup(repositorie|listing)s$/,
    'to write a status that another has just changed',
  ],
  [/ delete backup.tidemark.dev vmbackuplistings$/, 'an hour after it was answered'],
  [/ get cdi.kubevirt.io datavolumes$/, 'the disks of the stand-in VMs are made without CDI'],
  [/ get instancetype.kubevirt.io /, 'the revisions that a VM took stand for them'],
  [/ create events.k8s.io events$/, 'the agent says so when somebody else holds the VM'],
  [/ create coordination.k8s.io leases$/, 'a server-side apply that creates is a patch in the log'],
];

const tables: Readonly<Record<string, Rights>> = { controller, 'node-agent': nodeAgent };

/** The roles are generated from these tables (deploy/rbac). Here is the other half: what our programs really ask, as the API server notes it. */
describe.each(Object.keys(tables))('the rights of the %s', (program) => {
  const rights = [...granted(tables[program]!)];
  const hidden = (right: Line) => HIDDEN.some(([pattern]) => pattern.test(right));

  test('are all used', () => {
    const used = new Set(asked.filter((each) => each.program === program).map(lineOf));
    expect(rights.filter((right) => !used.has(right) && !hidden(right))).toEqual([]);
  });

  test('are never found too few', () => {
    const refused = asked.filter((each) => each.program === program && each.isForbidden);
    expect([...new Set(refused.map(lineOf))]).toEqual([]);
  });
});

let asked: readonly Asked[];
const resources = new AsyncDisposableStack();

beforeAll(async () => {
  const { path } = resources.use(await scratchDirectory('tidemark-audit-'));
  const directory = join(path, 'audit');
  await mkdir(directory);
  const vitest = join(import.meta.dirname, '../../node_modules/.bin/vitest');
  // Where our programs are at work, and nobody asks in their name for what they must not have.
  const work = ['e2e/', 'apiserver/controller', 'apiserver/schedule', 'apiserver/replicas'].map(
    (name) => `test/${name}`,
  );
  await run([
    'env',
    `${AUDIT_DIRECTORY}=${directory}`,
    vitest,
    'run',
    '--project',
    'e2e',
    '--project',
    'apiserver',
    ...work,
  ]);
  asked = await auditedIn(directory);
}, 3_600_000);
afterAll(() => resources.disposeAsync());

const line = (where: string, verb: string, group: string, resource: string): Line =>
  `${where} ${verb} ${group === '' ? 'core' : group} ${resource}`;

function* granted({ everywhere, inOwnNamespace }: Rights): Generator<Line> {
  for (const [where, rights] of Object.entries({ everywhere, inOwnNamespace })) {
    for (const { of, verbs } of rights)
      for (const { group, resource } of of)
        for (const verb of verbs) yield line(where, verb, group, resource);
  }
}

function lineOf({ verb, group, resource, namespace }: Asked): Line {
  const isOwn = group === 'coordination.k8s.io' && namespace === SYSTEM;
  return line(isOwn ? 'inOwnNamespace' : 'everywhere', verb, group, resource);
}
