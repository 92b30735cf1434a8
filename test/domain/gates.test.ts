import { describe, expect, test } from 'vitest';
import type { VMBackup, VMBackupStatus } from '../../src/crds/vmbackup.ts';
import { obstacleOf } from '../../src/domain/gates.ts';
import type { World } from '../../src/domain/world.ts';
import {
  ago,
  agent,
  backup,
  execution,
  failure,
  goodBackup,
  instance,
  NOW,
  plan,
  repository,
  repositorySpec,
  virtualMachine,
  world,
} from './builders.ts';

const report = { ready: false, reason: 'NotReachable', message: 'No route to host.', at: ago(1) };

test('nothing stands in the way of a backup of a running VM', () => {
  expect(obstacleOf(world(), NOW)).toBeUndefined();
});

describe('a backup waits', () => {
  test.each<[string, Partial<World>, string, boolean, string]>([
    [
      'for a VM that is not there',
      { vm: undefined, vmi: undefined },
      'VMNotFound',
      true,
      "no VirtualMachine 'db' in namespace 'shop'",
    ],
    [
      'for a repository that is not there',
      { repository: undefined },
      'RepositoryNotFound',
      true,
      "no VMBackupRepository 'nas'",
    ],
    [
      'for the leave of the administrator',
      { repository: { ...repository(), spec: repositorySpec({ allowedNamespaces: ['bank'] }) } },
      'NamespaceNotAllowed',
      true,
      'spec.allowedNamespaces',
    ],
    [
      'for a repository that is not ready',
      { repository: repository('False') },
      'RepositoryNotReady',
      false,
      'NotReachable: so.',
    ],
    [
      'for a repository that nobody has looked at',
      { repository: { metadata: { name: 'nas', uid: 'r' }, spec: repositorySpec({}) } },
      'RepositoryNotReady',
      false,
      'nobody has looked',
    ],
    [
      'for the claim of a stopped VM, which a Job would have to mount',
      { vmi: undefined, claims: [], backup: backup({ spec: { whenStopped: 'Backup' } }) },
      'ClaimNotFound',
      true,
      "no PersistentVolumeClaim 'db-root' for volume 'root'",
    ],
    ['for a VM that does not run', { vmi: undefined }, 'VMNotRunning', false, 'it has no instance'],
    [
      'for a stopped VM whose repository no Job can mount',
      {
        vmi: undefined,
        backup: backup({ spec: { whenStopped: 'Backup' } }),
        repository: {
          ...repository(),
          spec: repositorySpec({
            cifs: { server: 'nas', share: 's', version: '3.1.1', encrypt: true, secretName: 'nas' },
          }),
        },
      },
      'RepositoryNotMountable',
      false,
      'SMB share',
    ],
    [
      'for a VM that is scheduled',
      { vmi: instance({ phase: 'Scheduled' }) },
      'VMNotRunning',
      false,
      'its instance is Scheduled',
    ],
    [
      'for a VM without a node',
      { vmi: instance({ nodeName: undefined }) },
      'VMNotRunning',
      false,
      'does not run',
    ],
    [
      'for a VM whose instance ends',
      { vmi: { ...instance(), metadata: { name: 'db', uid: 'vmi', deletionTimestamp: ago(1) } } },
      'VMNotRunning',
      false,
      'does not run',
    ],
    [
      'for a migration',
      { vmi: instance({ migrationState: { targetPod: 'x' } }) },
      'MigrationRunning',
      false,
      'being migrated',
    ],
    [
      'for a drain',
      { vmi: instance({ evacuationNodeName: 'n1' }) },
      'MigrationRunning',
      false,
      "'n1' is being drained",
    ],
    [
      "for KubeVirt's own backup",
      { vmi: instance({ changedBlockTracking: { backupStatus: { backupName: 'theirs' } } }) },
      'KubeVirtBackupRunning',
      false,
      "KubeVirt's own backup theirs",
    ],
    [
      'for a volume that the VM does not have',
      { backup: backup({ spec: { volumes: { include: ['root', 'swap'] } } }) },
      'VolumeNotFound',
      true,
      'names swap, which is no volume',
    ],
    [
      'for a volume at all',
      { backup: backup({ spec: { volumes: { exclude: ['root'] } } }) },
      'NothingToBackUp',
      true,
      'no volume to back up',
    ],
    [
      'for an agent on the node',
      { agents: [agent({ nodeName: 'n2' })] },
      'NodeAgentMissing',
      false,
      "on node 'n1'",
    ],
    [
      'for an agent that is silent',
      { agents: [agent({ alive: false })] },
      'NodeAgentMissing',
      false,
      "on node 'n1'",
    ],
    [
      'for the repository to be ready on the node',
      { agents: [agent({ repositories: { nas: report } }), agent({ nodeName: 'n2' })] },
      'RepositoryNotReady',
      false,
      'NotReachable: No route to host.',
    ],
  ])('%s', (_, changes, reason, needsPerson, sentence) => {
    const obstacle = obstacleOf(world(changes), NOW);
    expect(obstacle).toMatchObject({ reason, needsPerson });
    expect(obstacle?.message).toContain(sentence);
  });
});

describe('a backup does not wait', () => {
  test.each<[string, Partial<World>]>([
    ['for a migration that is over', { vmi: instance({ migrationState: { completed: true } }) }],
    ['for a migration that failed', { vmi: instance({ migrationState: { failed: true } }) }],
    [
      "for a backup of KubeVirt's that it has taken off the status",
      { vmi: instance({ changedBlockTracking: { state: 'Enabled' } }) },
    ],
    [
      'for cloud-init, which is no disk',
      {
        vmi: {
          ...instance(),
          spec: { volumes: [...(virtualMachine.spec.template.spec.volumes ?? []), { name: 'ci' }] },
        },
      },
    ],
    [
      'for a repository open to all',
      { repository: { ...repository(), spec: repositorySpec({ allowedNamespaces: ['*'] }) } },
    ],
    ['for a claim that was not found: its disk gets a full', { claims: [] }],
  ])('%s', (_, changes) => {
    expect(obstacleOf(world(changes), NOW)).toBeUndefined();
  });
});

function waiting(reason: string): Pick<VMBackupStatus, 'conditions'> {
  return {
    conditions: [{ type: 'Reconciling', status: 'True', reason, message: '', lastTransitionTime: ago(9) }],
  };
}

describe('among the backups of one VM', () => {
  const me = backup({ name: 'm', createdAt: ago(60) });
  test.each<[string, VMBackup, boolean]>([
    ['an older one comes first', backup({ name: 'z', createdAt: ago(61) }), true],
    ['a younger one does not', backup({ name: 'a', createdAt: ago(59) }), false],
    ['of the same second, the first by name comes first', backup({ name: 'a', createdAt: ago(60) }), true],
    ['of the same second, the later by name does not', backup({ name: 'z', createdAt: ago(60) }), false],
    [
      'one that an agent works on comes first, however young',
      backup({ name: 'z', createdAt: ago(1), status: { plan: plan() } }),
      true,
    ],
    [
      'so does one that is being deleted while an agent works on it',
      backup({
        name: 'z',
        deletedAt: ago(1),
        status: { plan: plan(), execution: execution({ completedAt: undefined }) },
      }),
      true,
    ],
    ['one that is over does not count', goodBackup('a', { createdAt: ago(99) }), false],
    [
      'one that failed does not count',
      backup({
        name: 'a',
        createdAt: ago(99),
        spec: { backoffLimit: 0 },
        status: { plan: plan(), execution: execution({ error: failure }) },
      }),
      false,
    ],
    [
      'one that will be tried again keeps its place',
      backup({
        name: 'a',
        createdAt: ago(99),
        status: { plan: plan(), execution: execution({ error: failure }), ...waiting('AttemptFailed') },
      }),
      true,
    ],
    [
      'one that waits for its turn keeps its place',
      backup({ name: 'a', createdAt: ago(99), status: waiting('AnotherBackupRunning') }),
      true,
    ],
    [
      'one that waits for something else lets others pass',
      backup({ name: 'a', createdAt: ago(99), status: waiting('VolumeNotFound') }),
      false,
    ],
    [
      'one of another VM does not count',
      backup({ name: 'a', createdAt: ago(99), spec: { vmName: 'web' } }),
      false,
    ],
    [
      'one into another repository does',
      backup({ name: 'a', createdAt: ago(99), spec: { repository: 'attic' } }),
      true,
    ],
    ['it is not its own rival', me, false],
  ])('%s', (_, other, waits) => {
    const obstacle = obstacleOf(world({ backup: me, backups: [other, me] }), NOW);
    expect(obstacle?.reason).toBe(waits ? 'AnotherBackupRunning' : undefined);
    if (waits) expect(obstacle?.message).toContain(`'${other.metadata.name}'`);
  });
});
