import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';

/** The CRDs as the API server takes them, and its answers in the words that kubectl prints. */

const deploy = join(import.meta.dirname, '../../deploy');
const samples = await readdir(join(deploy, 'samples'));

let cluster: ControlPlane;

beforeAll(async () => {
  cluster = await startControlPlane();
  await cluster.kubectl(['apply', '--server-side', '-f', join(deploy, 'crds')]);
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
});
afterAll(() => cluster?.stop());

const Spec = z.record(z.string(), z.unknown());
type Spec = Readonly<z.infer<typeof Spec>>;

/** Creates an object, only in thought unless told otherwise; answers with its spec as the API server would store it. */
async function create(kind: string, name: string, spec: Spec, ...flags: readonly string[]): Promise<Spec> {
  const stdin = JSON.stringify({
    apiVersion: 'backup.tidemark.dev/v1alpha1',
    kind,
    metadata: { name },
    spec,
  });
  const dryRun = flags.length > 0 ? flags : ['--dry-run=server'];
  const stored = await cluster.kubectl(['create', ...dryRun, '-o', 'json', '-f', '-'], { stdin });
  return z.object({ spec: Spec }).parse(JSON.parse(stored)).spec;
}

const stored = (kind: string, name: string, spec: Spec) => create(kind, name, spec, '--save-config=false');

/** What kubectl prints on standard error when the API server refuses. */
async function refusal(request: Promise<unknown>): Promise<string> {
  const accepted = await request.catch(
    (error: unknown) => String(error).split('ended with 1: ')[1] ?? String(error),
  );
  return typeof accepted === 'string' ? accepted : `accepted: ${JSON.stringify(accepted)}`;
}

const names = (count: number, length = 8) =>
  Array.from({ length: count }, (_, index) => String(index).padStart(length, 'v'));

const vmBackup = { vmName: 'web', repository: 'nas' };
const template = { repository: 'nas' };
const schedule = { schedule: '0 2 * * *', vmNames: ['web'], template };
const nfs = { server: 'nas.example.com', path: '/exports/tidemark' };
const allowedNamespaces = ['vms'];

describe('the API server takes the CRDs', () => {
  test('all five become Established, with a structural schema', async () => {
    const jsonpath =
      '{range .items[*]}{.metadata.name}{range .status.conditions[?(@.status=="True")]} {.type}{end}{"\\n"}{end}';
    const lines = (await cluster.kubectl(['get', 'crd', '-o', `jsonpath=${jsonpath}`])).trim().split('\n');
    expect(lines).toEqual([
      'vmbackuplistings.backup.tidemark.dev NamesAccepted Established',
      'vmbackuprepositories.backup.tidemark.dev NamesAccepted Established',
      'vmbackups.backup.tidemark.dev NamesAccepted Established',
      'vmbackupschedules.backup.tidemark.dev NamesAccepted Established',
      'vmrestores.backup.tidemark.dev NamesAccepted Established',
    ]);
  });

  test.each(samples)('deploy/samples/%s is accepted', async (file) => {
    const answer = await cluster.kubectl(['create', '--dry-run=server', '-f', join(deploy, 'samples', file)]);
    expect(answer).toContain('created (server dry run)');
  });

  test('everything in deploy/ is accepted together', async () => {
    // A dry run makes no namespace, so the objects inside it need a real one.
    await cluster.kubectl(['create', '-f', join(deploy, 'namespace.yaml'), '--save-config']);
    const answer = await cluster.kubectl(['apply', '--dry-run=server', '-k', deploy]);
    expect(answer).toContain('deployment.apps/tidemark-controller created');
    expect(answer).toContain('daemonset.apps/tidemark-node-agent created');
  });

  test.each<[string, string, string, Spec]>([
    ['a backup of 64 volumes', 'VMBackup', 'b', { ...vmBackup, volumes: { exclude: names(64, 63) } }],
    [
      'a schedule of 256 VMs',
      'VMBackupSchedule',
      's',
      {
        ...schedule,
        vmNames: names(256, 63),
        template: { ...template, volumes: { include: names(64, 63) } },
      },
    ],
    [
      'a repository with every bound reached',
      'VMBackupRepository',
      'r',
      {
        nfs: {
          server: 'n'.repeat(253),
          path: `/${'p'.repeat(1023)}`,
          mountOptions: Array.from({ length: 16 }, () => 'lookupcache=positive'),
        },
        allowedNamespaces: names(256, 63),
      },
    ],
  ])('the rules are cheap enough for %s', async (_, kind, name, spec) => {
    expect(await create(kind, name, spec)).toMatchObject(spec);
  });
});

describe('defaults are filled in', () => {
  const settings = {
    ...{ fullEvery: 10, quiesce: 'IfAvailable', backoffLimit: 3, startDeadlineSeconds: 3600 },
    ...{ priority: 0, whenStopped: 'Backup' },
  };
  const limits = { maintenance: false, maxConcurrentBackups: 10, lowSpacePercent: 10 };
  test.each<[string, Spec, Spec]>([
    ['VMBackup', vmBackup, { ...vmBackup, ...settings, type: 'Auto' }],
    [
      'VMBackupSchedule',
      schedule,
      {
        ...schedule,
        template: { ...template, ...settings },
        timeZone: 'UTC',
        suspend: false,
        immediate: false,
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: 600,
        spreadSeconds: 0,
        failedBackupsHistoryLimit: 3,
      },
    ],
    [
      'VMBackupRepository',
      { nfs, allowedNamespaces },
      { nfs: { ...nfs, version: '4.2' }, allowedNamespaces, ...limits },
    ],
  ])('of a %s', async (kind, spec, expected) => {
    expect(await create(kind, 'x', spec)).toEqual(expected);
  });
});

/** Kind, what is wrong, the spec, and where and how the API server says so. */
const refused: readonly (readonly [string, string, Spec, string])[] = [
  [
    'VMBackup',
    'both volume lists',
    { ...vmBackup, volumes: { include: ['a'], exclude: ['b'] } },
    'spec.volumes: Invalid value: set either volumes.include or volumes.exclude, not both and not neither',
  ],
  [
    'VMBackup',
    'no volume list',
    { ...vmBackup, volumes: {} },
    'spec.volumes: Invalid value: set either volumes.include or volumes.exclude, not both and not neither',
  ],
  [
    'VMBackup',
    'a type that cannot be ordered',
    { ...vmBackup, type: 'Incremental' },
    'spec.type: Unsupported value: "Incremental": supported values: "Auto", "Full"',
  ],
  [
    'VMBackup',
    'a name that is too long',
    { ...vmBackup, vmName: 'w'.repeat(64) },
    'spec.vmName: Too long: may not be more than 63 bytes',
  ],
  ['VMBackup', 'no repository', { vmName: 'web' }, 'spec.repository: Required value'],
  [
    'VMBackup',
    'no chain at all',
    { ...vmBackup, fullEvery: 0 },
    'spec.fullEvery in body should be greater than or equal to 1',
  ],
  [
    'VMBackup',
    'a field that does not exist',
    { ...vmBackup, colour: 'red' },
    'strict decoding error: unknown field "spec.colour"',
  ],
  ...['0 2 * *', '@reboot', ' 0 2 * * *', '0  2 * * *'].map(
    (cron) =>
      [
        'VMBackupSchedule',
        `the schedule '${cron}'`,
        { ...schedule, schedule: cron },
        `spec.schedule: Invalid value: "${cron}": schedule takes five fields, minute hour day-of-month month day-of-week (for example '0 2 * * *'), or @hourly, @daily, @weekly, @monthly, @yearly, or one of these with -random`,
      ] as const,
  ),
  [
    'VMBackupSchedule',
    'six fields of cron',
    { ...schedule, schedule: '0 0 2 * * *' },
    'spec.schedule: Invalid value: "0 0 2 * * *": schedule has six fields: there is none for seconds here, write five',
  ],
  [
    'VMBackupSchedule',
    'a window that is no time of day',
    { ...schedule, template: { ...template, window: { start: '25:00', end: '06:00' } } },
    'spec.template.window.start: Invalid value: "25:00": write a time of day as hours and minutes, for example \'22:00\'',
  ],
  [
    'VMBackup',
    'a window without length',
    { ...vmBackup, window: { start: '06:00', end: '06:00' } },
    'spec.window: Invalid value: a window that ends when it starts is no window',
  ],
  [
    'VMBackup',
    'a level of compression without any',
    { ...vmBackup, compression: { algorithm: 'None', level: 3 } },
    'spec.compression: Invalid value: compression.level belongs to algorithm Zstd',
  ],
  [
    'VMBackup',
    'a priority beyond all others',
    { ...vmBackup, priority: 11 },
    'spec.priority in body should be less than or equal to 10',
  ],
  [
    'VMBackupRepository',
    'a bandwidth without number',
    { nfs, allowedNamespaces, bandwidthLimit: 'fast' },
    'spec.bandwidthLimit: Invalid value: "fast": bandwidthLimit is a number of bytes per second, for example \'200Mi\'',
  ],
  [
    'VMBackupSchedule',
    'both vmNames and vmSelector',
    { ...schedule, vmSelector: { matchLabels: { a: 'b' } } },
    'spec: Invalid value: say which VMs: set either vmNames or vmSelector, not both and not neither',
  ],
  [
    'VMBackupSchedule',
    'neither vmNames nor vmSelector',
    { schedule: '@daily', template },
    'spec: Invalid value: say which VMs: set either vmNames or vmSelector, not both and not neither',
  ],
  ...[{}, { matchLabels: {} }, { matchExpressions: [] }].map(
    (vmSelector) =>
      [
        'VMBackupSchedule',
        `the empty selector ${JSON.stringify(vmSelector)}`,
        { schedule: '@daily', template, vmSelector },
        'spec.vmSelector: Invalid value: an empty vmSelector is refused, lest it take every VM by accident: set matchLabels or matchExpressions, or list vmNames',
      ] as const,
  ),
  [
    'VMBackupSchedule',
    'too many VMs',
    { ...schedule, vmNames: names(257) },
    'spec.vmNames: Too many: 257: must have at most 256 items',
  ],
  [
    'VMBackupSchedule',
    'a VM named twice',
    { ...schedule, vmNames: ['a', 'a'] },
    'spec.vmNames[1]: Duplicate value: "a"',
  ],
  ...[{}, { keepLast: 0 }, { keepTags: ['gold'] }].map(
    (retention) =>
      [
        'VMBackupSchedule',
        `the retention ${JSON.stringify(retention)}, which keeps nothing`,
        { ...schedule, retention },
        'spec.retention: Invalid value: say what to keep: set one of keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly to 1 or more, or keepWithin. To keep everything, leave retention out',
      ] as const,
  ),
  [
    'VMBackupSchedule',
    'a keepWithin in another order',
    { ...schedule, retention: { keepWithin: '3d1y' } },
    "spec.retention.keepWithin: Invalid value: \"3d1y\": keepWithin takes years, months, weeks, days and hours, in this order: for example '30d' or '1y6m'",
  ],
  [
    'VMBackupRepository',
    'a scrubEvery without unit',
    { nfs, allowedNamespaces, scrubEvery: '30' },
    "spec.scrubEvery: Invalid value: \"30\": scrubEvery takes days or hours, for example '30d' or '12h', or Never",
  ],
  [
    'VMBackupRepository',
    'two places',
    { nfs, local: { path: '/mnt' }, allowedNamespaces },
    'spec: Invalid value: say where the repository is: set exactly one of nfs, cifs, cephfs and local',
  ],
  [
    'VMBackupRepository',
    'no place',
    { allowedNamespaces },
    'spec: Invalid value: say where the repository is: set exactly one of nfs, cifs, cephfs and local',
  ],
  [
    'VMBackupRepository',
    'nobody who may use it',
    { nfs, allowedNamespaces: [] },
    'spec.allowedNamespaces in body should have at least 1 items',
  ],
  ...['exports/tidemark', '/exports/../etc', '/exports/..'].map(
    (path) =>
      [
        'VMBackupRepository',
        `the path ${path}`,
        { nfs: { ...nfs, path }, allowedNamespaces },
        `spec.nfs.path: Invalid value: "${path}": write an absolute path without '..', for example /exports/backups`,
      ] as const,
  ),
  ...['nas.example.com:/exports', '-o', 'a b'].map(
    (server) =>
      [
        'VMBackupRepository',
        `the server ${server}`,
        { nfs: { ...nfs, server }, allowedNamespaces },
        `spec.nfs.server: Invalid value: "${server}": nfs.server is a host name or an address, for example nas.example.com`,
      ] as const,
  ),
  ...['suid', 'hard,suid', 'hard\nsuid', 'timeo=', 'sec=none'].map(
    (option) =>
      [
        'VMBackupRepository',
        `the mount option ${JSON.stringify(option)}`,
        { nfs: { ...nfs, mountOptions: ['hard', option] }, allowedNamespaces },
        'spec.nfs.mountOptions: Invalid value: mountOptions takes hard, soft, softerr, proto=, port=, timeo=, retrans=, rsize=, wsize=, nconnect=, sec=, noatime, actimeo=, lookupcache=; nosuid, nodev and noexec are always set',
      ] as const,
  ),
  [
    'VMRestore',
    'no source',
    { source: {}, target: { claims: {} } },
    'spec.source: Invalid value: say what to restore: set either source.backupName or source.repositoryPath',
  ],
  ...[{}, { claims: {}, newVM: { name: 'web' } }].map(
    (target) =>
      [
        'VMRestore',
        `the target ${Object.keys(target).join(' and ')}`,
        { source: { backupName: 'b' }, target },
        'spec.target: Invalid value: say where it goes: set exactly one of target.newVM, target.inPlace and target.claims',
      ] as const,
  ),
  ...['/etc', '../other', '..', 'a/../../b', 'a/..', 'a/b/c', 'a/b/c/../d', 'a/b/c/.incoming-d'].map(
    (path) =>
      [
        'VMRestore',
        `the path ${path}`,
        { source: { repositoryPath: { repository: 'nas', path } }, target: { claims: {} } },
        `spec.source.repositoryPath.path: Invalid value: "${path}": path is relative to the repository's root and names one backup`,
      ] as const,
  ),
];

describe('bad objects are refused, in a sentence that says what to write', () => {
  test.each(refused)('%s: %s', async (kind, _, spec, sentence) => {
    expect(await refusal(create(kind, 'x', spec))).toContain(sentence);
  });
});

describe('what must not change cannot be changed', () => {
  test.each<[string, Spec, Spec, string]>([
    [
      'VMBackup',
      vmBackup,
      { vmName: 'db' },
      'spec: Invalid value: a VMBackup is the record of one backup: only hold and deletionPolicy can be changed. Create another one',
    ],
    [
      'VMRestore',
      { source: { backupName: 'b' }, target: { claims: {} } },
      { volumes: ['root'] },
      'spec: Invalid value: a VMRestore cannot be changed: create another one',
    ],
    [
      'VMBackupRepository',
      { nfs, allowedNamespaces },
      { nfs: { path: '/elsewhere' } },
      'spec: Invalid value: a repository does not move: chains would lose their parents. Create another VMBackupRepository for the new place',
    ],
  ])('the spec of a %s', async (kind, spec, change, sentence) => {
    await stored(kind, 'fixed', spec);
    const patch = JSON.stringify({ spec: change });
    expect(await refusal(cluster.kubectl(['patch', kind, 'fixed', '--type=merge', '-p', patch]))).toContain(
      sentence,
    );
  });

  test('a VMBackup may be put on hold and given another deletionPolicy, and nothing be added to it', async () => {
    await stored('VMBackup', 'held', { ...vmBackup, tags: ['before-upgrade'] });
    const patch = (spec: Spec) =>
      cluster.kubectl(['patch', 'tmb', 'held', '--type=merge', '-p', JSON.stringify({ spec })]);
    expect(await patch({ hold: true, deletionPolicy: 'Delete' })).toContain('patched');
    expect(await patch({ hold: null, deletionPolicy: 'Retain' })).toContain('patched');
    for (const spec of [{ tags: null }, { tags: ['other'] }, { volumes: { include: ['root'] } }])
      expect(await refusal(patch(spec))).toContain('only hold and deletionPolicy can be changed');
  });

  test('a repository may get other mount options and namespaces', async () => {
    await stored('VMBackupRepository', 'tuned', { nfs, allowedNamespaces });
    const patch = JSON.stringify({
      spec: { nfs: { mountOptions: ['nconnect=8'] }, allowedNamespaces: ['*'] },
    });
    const answer = await cluster.kubectl(['patch', 'tmrepo', 'tuned', '--type=merge', '-p', patch]);
    expect(answer).toContain('patched');
  });

  test('a repository does not turn from NFS into a local path', async () => {
    await stored('VMBackupRepository', 'turned', { nfs, allowedNamespaces });
    const patch = JSON.stringify({ spec: { nfs: null, local: { path: '/mnt' } } });
    const answer = await refusal(cluster.kubectl(['patch', 'tmrepo', 'turned', '--type=merge', '-p', patch]));
    expect(answer).toContain('a repository does not move');
  });
});

const plan = (nodeName: string) => ({
  attempt: 1,
  nodeName,
  type: 'Full',
  reason: 'NoEarlierBackup',
  message: 'It is the first backup of this VM.',
  chain: { id: 'a', position: 0 },
  bitmap: 'backup-1',
  path: 'c/ns/vm/b',
  disks: [],
});

describe('kubectl', () => {
  beforeAll(async () => {
    for (const [name, vm, node] of [
      ['first', 'mail', 'n1'],
      ['second', 'wiki', 'n2'],
    ] as const) {
      await stored('VMBackup', name, { ...vmBackup, vmName: vm });
      const status = {
        phase: 'Succeeded',
        type: 'Full',
        typeReason: 'NoEarlierBackup',
        seconds: 7,
        plan: plan(node),
      };
      const patch = JSON.stringify({ status });
      await cluster.kubectl(['patch', 'tmb', name, '--subresource=status', '--type=merge', '-p', patch]);
    }
  });

  test.each([
    ['status.plan.nodeName=n1', 'vmbackup.backup.tidemark.dev/first\n'],
    ['status.plan.nodeName=n2,spec.vmName=wiki', 'vmbackup.backup.tidemark.dev/second\n'],
    ['status.plan.nodeName=n3', ''],
  ])('selects backups by %s', async (selector, found) => {
    expect(await cluster.kubectl(['get', 'tmb', '--field-selector', selector, '-o', 'name'])).toBe(found);
  });

  test('prints what a backup was and why, and more when asked', async () => {
    const narrow = (await cluster.kubectl(['get', 'tmb', 'first'])).split('\n');
    expect(narrow[0]?.split(/\s{2,}/)).toEqual([
      'NAME',
      'VM',
      'TYPE',
      'WHY',
      'POS',
      'PHASE',
      'PERCENT',
      'SIZE',
      'SECONDS',
      'AGE',
    ]);
    expect(narrow[1]).toMatch(/^first +mail +Full +NoEarlierBackup +Succeeded +7 +\d+s$/);
    const wide = await cluster.kubectl(['get', 'tmb', 'first', '-o', 'wide']);
    expect(wide).toMatch(/NODE +REPOSITORY +FALLBACK +MESSAGE\n.* n1 +nas *\n$/);
  });

  test.each(['tmb', 'tmbs', 'tmr', 'tmrepo', 'tidemark'])('knows %s', async (name) => {
    await expect(cluster.kubectl(['get', name])).resolves.toBeTypeOf('string');
  });
});
