import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { virtualMachines } from '../../src/crds/kubevirt.ts';
import { type Execution, type VMBackup, vmBackups, type VMBackupStatus } from '../../src/crds/vmbackup.ts';
import { vmBackupRepositories } from '../../src/crds/vmbackuprepository.ts';
import { vmBackupSchedules } from '../../src/crds/vmbackupschedule.ts';
import { type VMRestore, vmRestores } from '../../src/crds/vmrestore.ts';
import { scheduledLabels } from '../../src/domain/labels.ts';
import type { Kube } from '../../src/kube/client.ts';
import { connectKube } from '../../src/kube/connect.ts';
import { execution, failure, plan } from '../domain/builders.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { until } from '../support/launcher/until.ts';

/** `kubectl tidemark` as a process of its own, for a user who may read and do nothing else. */

const root = join(import.meta.dirname, '../..');
const namespace = 'shop';
const never = new AbortController().signal;

let cluster: ControlPlane;
let admin: Kube;
/** May read VMs, VMBackups and schedules in one namespace, and has it in the context; may not read repositories. */
let owner: string;
/** May read all of it everywhere. */
let operator: string;
let stranger: string;
/** May make VMBackups and VMRestores in the namespace `yard`, and see all repositories. */
let maker: string;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program as a user would. */
function tidemark(kubeconfig: string, ...args: string[]): Promise<Ended> {
  return program('--kubeconfig', kubeconfig, ...args);
}

function program(...args: string[]): Promise<Ended> {
  const argv = [join(root, 'src/cli/main.ts'), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, argv, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

beforeAll(async () => {
  cluster = await startControlPlane();
  admin = connectKube({ kubeconfigPath: cluster.kubeconfigPath, userAgent: 'test' });
  const crds = ['deploy/crds', 'test/support/launcher/kubevirt-crds.yaml'];
  await cluster.kubectl(['apply', '--server-side', ...crds.flatMap((path) => ['-f', join(root, path)])]);
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  for (const name of [namespace, 'yard']) await cluster.kubectl(['create', 'namespace', name]);
  await users();
  await objects();
});
afterAll(() => cluster?.stop());

async function users(): Promise<void> {
  const read = ['--verb=get,list'];
  const ours = ['vmbackups', 'vmbackupschedules'].map((it) => `${it}.backup.tidemark.dev`);
  const resources = [...ours, 'virtualmachines.kubevirt.io'];
  await cluster.kubectl(['create', 'clusterrole', 'reader', ...read, `--resource=${resources.join(',')}`]);
  const all = [...resources, 'vmbackuprepositories.backup.tidemark.dev'].join(',');
  await cluster.kubectl(['create', 'clusterrole', 'all-reader', ...read, `--resource=${all}`]);
  const binding = ['-n', namespace, 'create', 'rolebinding', 'owner', '--clusterrole=reader'];
  await cluster.kubectl([...binding, '--user=owner']);
  await cluster.kubectl([
    'create',
    'clusterrolebinding',
    'op',
    '--clusterrole=all-reader',
    '--user=operator',
  ]);
  owner = await cluster.kubeconfigFor({ user: 'owner' });
  operator = await cluster.kubeconfigFor({ user: 'operator' });
  stranger = await cluster.kubeconfigFor({ user: 'stranger' });
  const made = 'vmbackups.backup.tidemark.dev,vmrestores.backup.tidemark.dev';
  const make = ['--verb=create,get,list', `--resource=${made}`];
  await cluster.kubectl(['-n', 'yard', 'create', 'role', 'maker', ...make]);
  await cluster.kubectl(['-n', 'yard', 'create', 'rolebinding', 'maker', '--role=maker', '--user=maker']);
  await cluster.kubectl([
    'create',
    'clusterrolebinding',
    'maker',
    '--clusterrole=all-reader',
    '--user=maker',
  ]);
  maker = await cluster.kubeconfigFor({ user: 'maker' });
  const inShop = ['config', 'set-context', '--current', `--namespace=${namespace}`];
  await cluster.kubectl(inShop, { kubeconfig: owner });
}

async function objects(): Promise<void> {
  const nfs = { server: 'nas.example.com', path: '/exports/tidemark' };
  const nas = { metadata: { name: 'nas' }, spec: { nfs, allowedNamespaces: ['*'] } };
  await admin.create(vmBackupRepositories, nas, never);
  const template = { repository: 'nas' };
  const nightly = { schedule: '0 2 * * *', vmNames: ['db'], template };
  const metadata = { namespace, name: 'nightly' };
  await admin.create(vmBackupSchedules, { metadata, spec: nightly }, never);
  const secret = { name: 'ci', cloudInitNoCloud: { userData: 'password: hunter2' } };
  const spec = { template: { spec: { domain: { devices: {} }, volumes: [secret] } } };
  for (const name of ['db', 'web']) {
    await admin.create(virtualMachines, { metadata: { namespace, name }, spec }, never);
  }
  const { metadata: vm } = await admin.get(virtualMachines, { namespace, name: 'db' }, never);
  const times = { startedAt: at(0), completedAt: at(7) };
  await backup('good', {
    plan: plan({ vmUid: vm.uid }),
    execution: execution({ ...times, pointInTime: at(1) }),
  });
  const error = { ...failure, final: true };
  await backup('bad', {
    plan: plan({ vmUid: vm.uid }),
    execution: execution({ ...times, completedAt: at(60), error }),
  });
}

/** An RFC 3339 time, so many seconds after the instant one hour ago. */
function at(second: number): string {
  return new Date(Date.now() - 3_600_000 + second * 1000).toISOString();
}

async function backup(name: string, status: VMBackupStatus): Promise<void> {
  const ref = { namespace, name };
  const spec = { vmName: 'db', repository: 'nas' };
  const labels = scheduledLabels('nightly', 'db');
  await admin.create(vmBackups, { metadata: { ...ref, labels }, spec }, never);
  await admin.applyStatus(vmBackups, ref, status, { fieldManager: 'test' }, never);
}

describe('status', () => {
  test('shows the namespace of the context: what is protected, what failed, what nothing protects', async () => {
    const { code, stdout, stderr } = await tidemark(owner, 'status');
    expect(stderr).toBe('');
    const [header, db, web, ...notes] = stdout.trimEnd().split('\n');
    expect(header).toMatch(
      /^VM {2,}PROTECTED BY {2,}LAST GOOD {2,}TYPE {2,}POSITION {2,}NOW {2,}LAST FAILURE {2,}NEXT RUN$/,
    );
    expect(db).toMatch(
      /^db {2,}nightly {2,}\d+m ago {2,}Full {2,}0 {2,}- {2,}CopyFailed, \d+m ago {2,}in \d+[hms]$/,
    );
    expect(web).toMatch(/^web {2,}nothing {2,}never( {2,}-){5}$/);
    expect(notes.join('\n')).toContain(
      'db: its last backup failed: The disk is full. (kubectl tidemark why -n shop bad)',
    );
    expect(notes.join('\n')).toContain('web: no VMBackupSchedule takes it');
    expect(code).toBe(0);
  });

  test('gives the same as JSON, for all namespaces, to who may see them', async () => {
    const { code, stdout } = await tidemark(operator, 'status', '-A', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      vms: [
        {
          namespace,
          vm: 'db',
          exists: true,
          protectedBy: [{ schedule: 'nightly', state: 'Active' }],
          lastGood: { name: 'good', type: 'Full', position: 0, repository: 'nas' },
          lastFailure: { name: 'bad', reason: 'CopyFailed', isOvercome: false },
          needs: [],
        },
        { namespace, vm: 'web', protectedBy: [], needs: ['Unprotected', 'NoGoodBackup'] },
      ],
    });
    expect(code).toBe(0);
  });

  test('with --exit-code ends with 1, because one VM has no backup', async () => {
    expect((await tidemark(owner, 'status', '--exit-code')).code).toBe(1);
  });

  test.each([
    ['for a stranger', () => stranger, ['-n', 'shop']],
    ['for all namespaces, for the owner of one', () => owner, ['-A']],
  ])('%s tells in one line what is forbidden', async (_, kubeconfig, args) => {
    const { code, stdout, stderr } = await tidemark(kubeconfig(), 'status', ...args);
    expect(stderr).toMatch(
      /^kubectl tidemark: Cannot list \w+: .*forbidden: User "\w+" cannot list resource[^\n]+\n$/,
    );
    expect([code, stdout]).toEqual([1, '']);
  });

  test('of a namespace with nothing in it says so', async () => {
    const { code, stdout } = await tidemark(operator, 'status', '-n', 'default', '--exit-code');
    expect([code, stdout]).toEqual([0, 'There is no VirtualMachine here, and no backup of one.\n']);
  });
});

describe('why', () => {
  const restore =
    'tidemark-mover restore --from /mnt/tidemark/c/shop/db-aaaaaaaa/b --volume root --to root.raw';

  test('tells the decisions and the way back', async () => {
    const { code, stdout, stderr } = await tidemark(operator, 'why', 'good', '-n', namespace);
    expect(stderr).toBe('');
    for (const line of [
      'VMBackup shop/good',
      '  Full (NoEarlierBackup), position 0.',
      '  root: Full, NoEarlierBackup: there was no good backup to build on',
      '  Repository: nas, nas.example.com:/exports/tidemark (NFS 4.2)',
      'mount -t nfs -o ro,vers=4.2 nas.example.com:/exports/tidemark /mnt/tidemark',
      restore,
    ]) {
      expect(stdout).toContain(line);
    }
    expect(code).toBe(0);
  });

  test('does so without the repository, for a user who may not see it', async () => {
    const { code, stdout } = await tidemark(owner, 'why', 'good');
    expect(stdout).toContain('Repository: nas (you may not see it');
    expect(stdout).toContain(restore);
    expect(code).toBe(0);
  });

  test('of a failed backup tells why, and no command', async () => {
    const { stdout } = await tidemark(owner, 'why', 'bad');
    expect(stdout).toContain('Failed for good: CopyFailed: The disk is full.');
    expect(stdout).not.toContain('tidemark-mover');
  });

  test('of a backup that is not there says where to look', async () => {
    const { code, stderr } = await tidemark(owner, 'why', 'nope');
    expect(stderr).toBe(
      "kubectl tidemark: There is no VMBackup 'nope' in namespace 'shop': 'kubectl get tmb -A' lists them all, -n chooses the namespace.\n",
    );
    expect(code).toBe(1);
  });
});

describe('tree', () => {
  test('draws what stands on what', async () => {
    const { code, stdout } = await tidemark(owner, 'tree', 'db');
    expect(stdout).toMatch(
      /^db in shop: 1 good backup in 1 chain, .*\n└─ nas\n {3}└─ chain \S+, begun \d+m ago/,
    );
    expect(stdout).toMatch(/Without data\n {2}bad +Failed +CopyFailed/);
    expect(code).toBe(0);
  });

  test('gives the same as YAML', async () => {
    const { stdout } = await tidemark(owner, 'tree', 'db', '-o', 'yaml');
    expect(parse(stdout)).toMatchObject({ vm: 'db', chains: [{ points: [{ name: 'good', position: 0 }] }] });
  });
});

describe('backup', () => {
  /** Plays the controller and the agent for a VMBackup that is about to be made. */
  async function carryOut(name: string, changes: Partial<Execution>): Promise<VMBackup> {
    const ref = { namespace: 'yard', name };
    const made = async () =>
      (await admin.list(vmBackups, { namespace: 'yard' }, never)).map((it) => it.metadata.name);
    await until(`there is ${name}`, async () => (await made()).includes(name));
    const status = { plan: plan(), execution: execution({ completedAt: at(3600), ...changes }) };
    return await admin.applyStatus(vmBackups, ref, status, { fieldManager: 'test' }, never);
  }

  test('creates a VMBackup in the only repository there is, and waits for its end', async () => {
    const args = ['backup', 'db', '-n', 'yard', '--name', 'by-hand', '--full', '--wait'];
    const running = tidemark(maker, ...args);
    const { spec } = await carryOut('by-hand', {});
    expect(spec).toMatchObject({ vmName: 'db', repository: 'nas', type: 'Full' });
    const { code, stdout, stderr } = await running;
    expect(stdout).toBe('vmbackup.backup.tidemark.dev/by-hand created, into nas\n');
    expect(stderr).toMatch(/^(waits for the controller\n)?Succeeded\n$/);
    expect(code).toBe(0);
  });

  test('ends with 1 when the backup that it waits for fails', async () => {
    const running = tidemark(maker, 'backup', 'db', '-n', 'yard', '--name', 'hopeless', '-w');
    await carryOut('hopeless', { error: { ...failure, final: true } });
    const { code, stderr } = await running;
    expect(stderr).toMatch(/CopyFailed: The disk is full\.\n$/);
    expect(code).toBe(1);
  });

  test('by a user who may only read is refused in one line', async () => {
    const { code, stderr } = await tidemark(owner, 'backup', 'db');
    expect(stderr).toMatch(
      /^kubectl tidemark: Cannot create VMBackup shop\/db-\d{8}-\d{6}: .*forbidden.*\n$/,
    );
    expect(code).toBe(1);
  });
});

describe('restore', () => {
  const from = ['--from', 'nas:cluster/shop/db-1a2b3c4d/20261123T020000Z-5e6f7a8b'];

  /** Plays the controller for a VMRestore that is about to be made: it ends with this condition. */
  async function end(name: string, type: string, phase: 'Succeeded' | 'Failed'): Promise<VMRestore> {
    const ref = { namespace: 'yard', name };
    const made = async () => await admin.list(vmRestores, { namespace: 'yard' }, never);
    await until(`there is ${name}`, async () =>
      (await made()).some(({ metadata }) => metadata.name === name),
    );
    const now = at(3600);
    const said = { type, status: 'True', reason: 'Told', message: 'It is over.', lastTransitionTime: now };
    const status = { conditions: [said], phase, completedAt: now };
    return await admin.applyStatus(vmRestores, ref, status, { fieldManager: 'test' }, never);
  }

  test('creates a VMRestore, and waits for its end', async () => {
    const running = tidemark(maker, 'restore', ...from, '--to', 'db', '-n', 'yard', '--name', 'anew', '-w');
    const { spec } = await end('anew', 'Ready', 'Succeeded');
    expect(spec).toMatchObject({
      source: { repositoryPath: { repository: 'nas' } },
      target: { newVM: { name: 'db', runStrategy: 'Halted', identity: 'New' } },
    });
    const { code, stdout, stderr } = await running;
    expect(stdout).toBe('vmrestore.backup.tidemark.dev/anew created\n');
    expect(stderr).toMatch(/^(waits for the controller\n)?It is over\.\n$/);
    expect(code).toBe(0);
  });

  test('ends with 1 when the restore that it waits for fails', async () => {
    const running = tidemark(maker, 'restore', ...from, '--disks', '-n', 'yard', '--name', 'in-vain', '-w');
    await end('in-vain', 'Stalled', 'Failed');
    const { code, stderr } = await running;
    expect(stderr).toMatch(/Told: It is over\.\n$/);
    expect(code).toBe(1);
  });

  test('with -o writes what the API server takes, and makes nothing', async () => {
    const { code, stdout } = await tidemark(owner, 'restore', 'good', '--in-place', '--stop', '-o', 'yaml');
    expect(parse(stdout)).toMatchObject({ spec: { target: { inPlace: { vmName: 'db', stopVM: true } } } });
    await cluster.kubectl(['create', '--dry-run=server', '-f', '-'], { stdin: stdout });
    expect(await admin.list(vmRestores, { namespace }, never)).toEqual([]);
    expect(code).toBe(0);
  });

  test.each([
    ['without a source', ['--disks'], 2, 'say what to restore'],
    ['without a target', ['good'], 2, 'say where it goes'],
    ['of a backup that is not there', ['nope', '--disks'], 1, "There is no VMBackup 'nope'"],
    ['by a user who may only read', ['good', '--disks'], 1, 'forbidden'],
  ])('%s is refused in one line', async (_, args, code, message) => {
    const ended = await tidemark(owner, 'restore', ...args);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toMatch(/^kubectl tidemark: [^\n]+\n$/);
    expect(ended.stderr).toContain(message);
  });
});

test('what protect writes is what the API server takes', async () => {
  const wish = ['--name', 'gold', '-l', 'app=db,tier in (a, b)', '--repository', 'nas', '-n', namespace];
  const { stdout } = await tidemark(owner, 'protect', ...wish);
  await cluster.kubectl(['create', '--dry-run=server', '-f', '-'], { stdin: stdout });
});

describe('repo', () => {
  test('ls shows the repositories, and what the VMs have in one', async () => {
    const { code, stdout, stderr } = await tidemark(operator, 'repo', 'ls', 'nas', '--exit-code');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^nas {2,}no( {2,}-){6}$/m);
    expect(stdout).toContain('nas: no node agent has looked at it yet.');
    expect(stdout).toMatch(/^shop {2,}db {2,}1 {2,}- {2,}\S+ {2,}\S+ ago$/m);
    expect(code).toBe(1);
  });

  test('ls gives the same as JSON', async () => {
    const { stdout } = await tidemark(operator, 'repo', 'ls', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ repositories: [{ name: 'nas', needs: ['NotReady'] }] });
  });

  test('import by who may only read is refused in one line', async () => {
    const { code, stderr } = await tidemark(operator, 'repo', 'import', 'nas');
    expect(stderr).toMatch(/^kubectl tidemark: .*forbidden[^\n]*\n$/);
    expect(code).toBe(1);
  });

  test('import into a repository that is not ready says why, and ends with 1', async () => {
    const keeper = await cluster.kubeconfigFor({ user: 'keeper' });
    const role = ['--verb=get,list,patch', '--resource=vmbackuprepositories.backup.tidemark.dev'];
    await cluster.kubectl(['create', 'clusterrole', 'keeper', ...role]);
    await cluster.kubectl(['create', 'clusterrolebinding', 'k', '--clusterrole=keeper', '--user=keeper']);
    const { code, stdout } = await tidemark(keeper, 'repo', 'import', 'nas');
    expect([code, stdout]).toEqual([1, 'nas: NotReady: no node agent has looked at it yet.\n']);
  });

  test('of one that is not there says where to look', async () => {
    const { code, stderr } = await tidemark(operator, 'repo', 'ls', 'moon');
    expect(stderr).toContain(
      "There is no VMBackupRepository 'moon': 'kubectl tidemark repo ls' lists them all.",
    );
    expect(code).toBe(1);
  });
});

describe('verify', () => {
  test('of a backup without data says so, and asks for nothing', async () => {
    const { code, stderr } = await tidemark(owner, 'verify', 'bad');
    expect(stderr).toMatch(/^kubectl tidemark: VMBackup 'bad' has no data to verify: [^\n]*\n$/);
    expect(code).toBe(1);
  });

  test('by a user who may only read is refused in one line', async () => {
    const { code, stderr } = await tidemark(owner, 'verify', 'good');
    expect(stderr).toMatch(/^kubectl tidemark: .*forbidden[^\n]*\n$/);
    expect(code).toBe(1);
  });
});

describe('report', () => {
  test('holds what the user may see, says what was refused, and nothing of cloud-init', async () => {
    const { code, stdout } = await tidemark(operator, 'report', '-n', namespace);
    const [head, ...parts] = parseAllDocuments(stdout).map((document) => document.toJS());
    expect(head.contents).toContain('vmbackuprepositories: 1');
    expect(head.contents.find((line: string) => line.startsWith('pods'))).toMatch(/not read\. .*forbidden/);
    expect(JSON.stringify(parts)).toContain('nas.example.com');
    expect(stdout).not.toContain('hunter2');
    expect(code).toBe(0);
  });
});

describe('completion', () => {
  test('knows the names in the cluster', async () => {
    const { stdout } = await program('__complete', '--kubeconfig', owner, 'why', 'g');
    expect(stdout).toBe('good\n:4\n');
  });

  test('without a cluster gives none, and no word about it', async () => {
    const { code, stdout, stderr } = await program('__complete', '--kubeconfig', '/nowhere', 'why', '');
    expect([code, stdout, stderr]).toEqual([0, ':4\n', '']);
  });
});

test('a context that is not there is told in one line', async () => {
  const { code, stderr } = await tidemark(owner, 'status', '--context', 'moon');
  expect(stderr).toMatch(/^kubectl tidemark: [^\n]*"moon"[^\n]*\n$/);
  expect(code).toBe(1);
});

test('a cluster without KubeVirt says what is missing', async () => {
  await cluster.kubectl(['delete', 'crd', 'virtualmachines.kubevirt.io']);
  const { code, stderr } = await tidemark(operator, 'status', '-A');
  expect(stderr).toContain('This cluster has no VirtualMachine (kubevirt.io/v1): install KubeVirt');
  expect(code).toBe(1);
});
