import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { leases, persistentVolumeClaims } from '../../src/crds/core.ts';
import { virtualMachineInstances, virtualMachines } from '../../src/crds/kubevirt.ts';
import { type Execution, type VMBackup, vmBackups } from '../../src/crds/vmbackup.ts';
import { type VMBackupRepository, vmBackupRepositories } from '../../src/crds/vmbackuprepository.ts';
import { vmBackupSchedules } from '../../src/crds/vmbackupschedule.ts';
import { AGENT_LABEL, AGENT_LABEL_VALUE, REPORT_ANNOTATION } from '../../src/domain/agent-report.ts';
import type { Kube } from '../../src/kube/client.ts';
import { connectKube } from '../../src/kube/connect.ts';
import { events, type RecordedEvent } from '../../src/kube/events.ts';
import type { Kind, KubeObject } from '../../src/kube/kind.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { type Program, startProgram } from '../support/tidemark/program.ts';

export const SYSTEM = 'tidemark-system';
export const NAMESPACE = 'shop';
export const NODE = 'node-1';
export const REPOSITORY = 'nas';

/** An agent that could write to the repository. */
export const READY = { ready: true, reason: 'Ready', message: 'Written, read back and deleted.' };

/** Each says when it has started. */
const CONTROLLERS = 9;
const DEADLINE_MS = 60_000;
/** Nothing here shall end a call before the test's own time does. */
const never = new AbortController().signal;

/** A real API server with the controller beside it, a process of its own under its own account; VMs and agents are data. */
export class Rig implements AsyncDisposable {
  readonly cluster: ControlPlane;
  readonly admin: Kube;
  readonly #agent: Kube;
  readonly #directory: string;
  readonly #kubeconfig: string;
  controller: Program;

  private constructor(parts: { cluster: ControlPlane; agent: Kube; directory: string; kubeconfig: string }) {
    this.cluster = parts.cluster;
    this.admin = connectKube({ kubeconfigPath: parts.cluster.kubeconfigPath, userAgent: 'test' });
    this.#agent = parts.agent;
    this.#directory = parts.directory;
    this.#kubeconfig = parts.kubeconfig;
    this.controller = this.#start();
  }

  static async start(): Promise<Rig> {
    const directory = await mkdtemp(join(tmpdir(), 'tidemark-controller-'));
    const cluster = await startControlPlane();
    try {
      await install(cluster);
      const kubeconfig = await cluster.serviceAccountKubeconfig(SYSTEM, 'tidemark-controller');
      const agentConfig = await cluster.serviceAccountKubeconfig(SYSTEM, 'tidemark-node-agent');
      const agent = connectKube({ kubeconfigPath: agentConfig, userAgent: 'fake-agent' });
      const rig = new Rig({ cluster, agent, directory, kubeconfig });
      await rig.untilStarted();
      return rig;
    } catch (error) {
      await cluster.stop();
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  #start(identity = 'controller-1'): Program {
    const main = new URL('../../src/controller/main.ts', import.meta.url).pathname;
    const flags = [
      `--kubeconfig=${this.#kubeconfig}`,
      `--namespace=${SYSTEM}`,
      '--health-port=0',
      `--identity=${identity}`,
      '--log-level=debug',
    ];
    return startProgram([process.execPath, main, ...flags], join(this.#directory, `${identity}.log`));
  }

  /** Starts another replica beside the one that runs. */
  anotherReplica(identity: string): Program {
    return this.#start(identity);
  }

  /** Starts the controller again, after it was killed. */
  async restartController(): Promise<void> {
    const before = count(await this.controller.log(), 'controller started');
    this.controller = this.#start();
    await this.untilStarted(before + CONTROLLERS);
  }

  async untilStarted(times = CONTROLLERS): Promise<void> {
    await this.until('the controllers to start', async () =>
      count(await this.controller.log(), 'controller started') >= times ? true : undefined,
    );
  }

  /** Waits until `look` gives something. Fails with the end of the controller's log. */
  async until<T>(what: string, look: () => Promise<T | undefined>, ms = DEADLINE_MS): Promise<T> {
    const end = Date.now() + ms;
    let failure: unknown;
    while (Date.now() < end) {
      try {
        const found = await look();
        if (found !== undefined) return found;
      } catch (error) {
        failure = error;
      }
      await sleep(50);
    }
    const log = await this.controller.log().catch(() => '');
    throw new Error(`waited in vain for ${what}; the controller's log ends:\n${log.slice(-4000)}`, {
      cause: failure,
    });
  }

  async create<T extends KubeObject>(
    kind: Kind<T>,
    name: string,
    spec: object,
    namespace?: string,
  ): Promise<T> {
    return this.admin.create(kind, { metadata: { name, namespace }, spec }, never);
  }

  async get<T extends KubeObject>(kind: Kind<T>, name: string, namespace?: string): Promise<T> {
    return this.admin.get(kind, { name, namespace }, never);
  }

  /** A VM with a volume and a claim for each name; runs on {@link NODE}. */
  async vm(
    name: string,
    volumes: readonly string[] = ['root'],
    labels: Record<string, string> = {},
  ): Promise<void> {
    const namespace = NAMESPACE;
    const disks = volumes.map((volume) => ({
      name: volume,
      persistentVolumeClaim: { claimName: `${name}-${volume}` },
    }));
    const all = [...disks, { name: 'cloudinit', cloudInitNoCloud: { userData: '#cloud-config' } }];
    for (const { persistentVolumeClaim } of disks) await this.claim(persistentVolumeClaim.claimName);
    const spec = { runStrategy: 'Always', template: { spec: { domain: { devices: {} }, volumes: all } } };
    await this.admin.create(virtualMachines, { metadata: { name, namespace, labels }, spec }, never);
    await this.startVm(name, all);
  }

  async claim(name: string): Promise<void> {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    await this.create(persistentVolumeClaims, name, spec, NAMESPACE);
  }

  async startVm(name: string, volumes: readonly object[], nodeName = NODE): Promise<void> {
    const spec = { domain: { devices: {} }, volumes };
    await this.create(virtualMachineInstances, name, spec, NAMESPACE);
    const status = { phase: 'Running', nodeName, changedBlockTracking: { state: 'Enabled' } };
    const options = { fieldManager: 'virt-handler', force: true };
    await this.admin.applyStatus(
      virtualMachineInstances,
      { name, namespace: NAMESPACE },
      status,
      options,
      never,
    );
  }

  async stopVm(name: string): Promise<void> {
    await this.admin.delete(virtualMachineInstances, { name, namespace: NAMESPACE }, {}, never);
  }

  async backup(name: string, vmName: string, spec: object = {}): Promise<VMBackup> {
    return this.create(vmBackups, name, { vmName, repository: REPOSITORY, ...spec }, NAMESPACE);
  }

  async schedule(name: string, spec: object): Promise<void> {
    const template = { repository: REPOSITORY };
    await this.create(vmBackupSchedules, name, { schedule: '0 0 1 1 *', template, ...spec }, NAMESPACE);
  }

  /** Waits until a backup stands so; returns it. */
  async backupThat(name: string, what: string, holds: (backup: VMBackup) => boolean): Promise<VMBackup> {
    return this.until(`backup ${name} to be ${what}`, async () => {
      const backup = await this.get(vmBackups, name, NAMESPACE);
      return holds(backup) ? backup : undefined;
    });
  }

  planned(name: string, attempt = 1): Promise<VMBackup> {
    return this.backupThat(
      name,
      `planned (attempt ${attempt})`,
      ({ status }) => status?.plan?.attempt === attempt,
    );
  }

  /** Waits until Ready (or Reconciling, while it waits) gives this reason. */
  because(name: string, reason: string): Promise<VMBackup> {
    return this.backupThat(
      name,
      reason,
      ({ status }) => status?.conditions?.some((it) => it.reason === reason) ?? false,
    );
  }

  /** The agent carries the current plan out, as the plan says unless told otherwise. */
  async agentReports(name: string, changes: Partial<Execution> = {}): Promise<void> {
    const { status } = await this.get(vmBackups, name, NAMESPACE);
    const plan = status?.plan;
    if (plan === undefined) throw new Error(`backup ${name} has no plan`);
    const now = Date.now();
    const execution: Execution = {
      attempt: plan.attempt,
      agent: NODE,
      startedAt: new Date(now - 3000).toISOString(),
      completedAt: new Date(now).toISOString(),
      bitmapCreated: plan.bitmap,
      disks: plan.disks.map(({ volume, type, reason }) => ({
        volume,
        type,
        reason,
        tracked: true,
        storedBytes: 1_258_291,
      })),
      ...changes,
    };
    const ref = { name, namespace: NAMESPACE };
    const options = { fieldManager: 'tidemark-node-agent', force: true };
    await this.#agent.applyStatus(vmBackups, ref, { execution }, options, never);
  }

  /** Makes as if the controller had heard of the end of this attempt, its last, an hour ago. */
  async heardLongAgo(name: string, attempt = 1): Promise<void> {
    const value = new Date(Date.now() - 3_600_000).toISOString();
    const path = `/status/attempts/${attempt - 1}/recordedAt`;
    const patch = JSON.stringify([{ op: 'replace', path, value }]);
    const status = ['--subresource', 'status', '--type', 'json', '-p', patch];
    await this.cluster.kubectl(['-n', NAMESPACE, 'patch', 'tmb', name, ...status]);
  }

  /** Plans, carries out and ends a backup. */
  async succeed(name: string, changes: Partial<Execution> = {}): Promise<VMBackup> {
    await this.planned(name);
    await this.agentReports(name, changes);
    return this.backupThat(name, 'Succeeded', ({ status }) => status?.phase === 'Succeeded');
  }

  /** An agent gives a sign of life from its node, and says how it finds the repository. */
  async agentFinds(report: typeof READY, node = NODE): Promise<void> {
    const found = {
      ...report,
      freeBytes: 600,
      capacityBytes: 1000,
      latencyMs: 3,
      at: new Date().toISOString(),
    };
    const metadata = {
      name: `tidemark-agent-${node}`,
      namespace: SYSTEM,
      labels: { [AGENT_LABEL]: AGENT_LABEL_VALUE },
      annotations: { [REPORT_ANNOTATION]: JSON.stringify({ [REPOSITORY]: found }) },
    };
    const renewTime = new Date().toISOString().replace('Z', '000Z');
    const spec = { holderIdentity: node, leaseDurationSeconds: 3600, renewTime };
    const options = { fieldManager: 'tidemark-node-agent', force: true };
    await this.#agent.apply(leases, { metadata, spec }, options, never);
  }

  /** Waits until the repository's condition Ready gives this reason. */
  async repositoryIs(reason: string): Promise<VMBackupRepository> {
    return this.until(`the repository to be ${reason}`, async () => {
      const repository = await this.get(vmBackupRepositories, REPOSITORY);
      return repository.status?.conditions?.[0]?.reason === reason ? repository : undefined;
    });
  }

  /** Events about an object. */
  async eventsOf(name: string): Promise<readonly RecordedEvent[]> {
    const all = await this.admin.list(events, { namespace: NAMESPACE }, never);
    return all.filter(({ regarding }) => regarding.name === name);
  }

  /** Waits for an event about an object. */
  event(name: string, reason: string): Promise<RecordedEvent> {
    return this.until(`event ${reason} of ${name}`, async () =>
      (await this.eventsOf(name)).find((event) => event.reason === reason),
    );
  }

  /** Requests that the API server answered for our kinds and for events; watches count when they end. */
  async requests(): Promise<number> {
    const metrics = await this.cluster.kubectl(['get', '--raw', '/metrics']);
    const ours =
      /^apiserver_request_total\{[^}]*group="(?:backup\.tidemark\.dev|events\.k8s\.io)"[^}]*\} (\S+)$/gm;
    return [...metrics.matchAll(ours)].reduce((sum, [, value]) => sum + Number(value), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.controller[Symbol.asyncDispose]();
    await this.cluster.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

function file(path: string): string {
  return new URL(`../../${path}`, import.meta.url).pathname;
}

async function install(cluster: ControlPlane): Promise<void> {
  const apply = (...paths: readonly string[]): Promise<string> =>
    cluster.kubectl(['apply', '--server-side', ...paths.flatMap((path) => ['-f', file(path)])]);
  await apply('deploy/namespace.yaml');
  await apply('deploy/crds', 'test/support/launcher/kubevirt-crds.yaml', 'deploy/rbac');
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  await cluster.kubectl(['create', 'namespace', NAMESPACE]);
  const repository = {
    apiVersion: 'backup.tidemark.dev/v1alpha1',
    kind: 'VMBackupRepository',
    metadata: { name: REPOSITORY },
    spec: { local: { path: '/srv/backups' }, allowedNamespaces: [NAMESPACE] },
  };
  await cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(repository) });
}
