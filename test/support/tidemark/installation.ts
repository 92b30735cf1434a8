import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { VMBackup } from '../../../src/crds/vmbackup.ts';
import { type ControlPlane, startControlPlane } from '../control-plane/control-plane.ts';
import { onNode, type TokenOptions } from '../control-plane/token.ts';
import { inNodeNamespace, run, type ScratchDirectory, scratchDirectory } from '../launcher/index.ts';
import { AGENT, AS_AGENT, forAgent } from './as-agent.ts';
import { bundleInto } from './bundles.ts';
import { eventually, KubeVirt } from './kubevirt.ts';
import { type Program, startProgram } from './program.ts';
import { startWeather, type Weather } from './weather.ts';

export const NODE = 'node-1';
export const NAMESPACE = 'shop';
const SYSTEM = 'tidemark-system';

/** A program that ends by itself, as the controller does that lost its lease, is started again: a kubelet would. */
const RESTART_AFTER_MS = 1000;

/** A whole cluster with Tidemark in it: real API server, our controller and agent under their own accounts. */
export interface Installation extends AsyncDisposable {
  readonly cluster: ControlPlane;
  readonly kubevirt: KubeVirt;
  /** The pods directory of the one node. */
  readonly podsDir: string;
  /** Root of the repository `nas`. */
  readonly repository: string;
  readonly directory: string;
  /** The bundles, as the image has them. */
  readonly programs: string;
  /** How a mover is started by hand. */
  readonly mover: readonly string[];
  /** How `kubectl tidemark` is, as the administrator. */
  readonly cli: readonly string[];
  /** Good, unless it was asked for. */
  readonly weather: Weather | undefined;
  controller: Program;
  agent: Program;
  /** Starts the agent again after it was killed, or another release of it: its programs are in this directory. */
  startAgent(programs?: string): Promise<void>;
  /** Starts the controller again after it was killed. */
  startController(): Promise<void>;
  apply(object: object): Promise<void>;
  backup(name: string): Promise<VMBackup>;
  /** Waits until the backup has ended, and returns it. */
  ended(name: string, seconds?: number): Promise<VMBackup>;
}

export interface InstallationOptions {
  /** Where the repository is; a directory of its own when left out. */
  readonly repository?: string;
  /** More nodes, each with an agent of its own. */
  readonly otherNodes?: readonly string[];
  /** Size of the file system that the pods are on, scratch files included; the machine's own when left out. */
  readonly podsBytes?: number;
  /** Puts weather between Tidemark's programs and the API server. */
  readonly weather?: boolean;
  /** How far the controller's clock is ahead of everyone else's, in milliseconds. */
  readonly controllerAheadMs?: number;
  /** The programs of the node agents, of another release than the controller's. */
  readonly agentPrograms?: string;
  /** A directory that comes first in the PATH of the node agents. */
  readonly agentBin?: string;
  /** Extra flags for the node agents. */
  readonly agentFlags?: readonly string[];
  /** Told what happens, step by step. */
  readonly say?: (step: string) => void;
}

/** Starts everything. `await using` ends it. */
export async function installTidemark(options: InstallationOptions = {}): Promise<Installation> {
  const say = options.say ?? (() => undefined);
  await using building = new AsyncDisposableStack();
  const scratch = building.use<ScratchDirectory>(await scratchDirectory('tidemark-node-'));
  say('the bundles, as the image has them');
  const bundles = join(scratch.path, 'programs');
  await bundleInto(bundles);
  const podsDir = join(scratch.path, 'pods');
  const repository = options.repository ?? join(scratch.path, 'repository');
  const home = join(scratch.path, 'home'); // virsh keeps a cache there
  for (const path of [podsDir, repository, home]) await mkdir(path, { recursive: true });
  for (const path of [repository, home]) await chown(path, AGENT.uid, AGENT.gid);
  const node = await forAgent(process.execPath, scratch.path);
  if (options.podsBytes !== undefined) {
    await run(['mount', '-t', 'tmpfs', '-o', `size=${options.podsBytes}`, 'tmpfs', podsDir]);
    building.defer(async () => void (await run(['umount', podsDir])));
  }

  say('kube-apiserver, etcd and kube-controller-manager');
  const cluster = building.use(await startControlPlane({ controllerManager: true }));
  const weather = options.weather === true ? building.use(await startWeather(cluster)) : undefined;
  say('custom resources, accounts and roles');
  const otherNodes = options.otherNodes ?? [];
  await prepare(cluster, repository, [NODE, ...otherNodes]);

  const { controllerAheadMs = 0 } = options;
  const clock = (name: string) =>
    name === 'controller' && controllerAheadMs !== 0 ? [clockAhead(controllerAheadMs)] : [];
  const program = async (
    name: 'controller' | 'node-agent',
    token: TokenOptions,
    wrap: (argv: readonly string[]) => readonly string[],
    from = bundles,
  ) => {
    const direct = await cluster.serviceAccountKubeconfig(SYSTEM, `tidemark-${name}`, token);
    const kubeconfig = await forAgent((await weather?.through(direct)) ?? direct, scratch.path);
    const common = [`--kubeconfig=${kubeconfig}`, `--namespace=${SYSTEM}`, '--health-port=0'];
    return startProgram(
      wrap([node, ...clock(name), join(from, `${name}.js`), ...common]),
      join(scratch.path, `${name}.log`),
      RESTART_AFTER_MS,
    );
  };
  const path = [...(options.agentBin === undefined ? [] : [options.agentBin]), process.env['PATH']].join(':');
  const startAgent = (node = NODE, from = options.agentPrograms) =>
    program(
      'node-agent',
      onNode(node),
      (argv) =>
        inNodeNamespace({ podsDir }, [
          ...AS_AGENT,
          ...['env', `HOME=${home}`, `TMPDIR=${home}`, `PATH=${path}`],
          ...argv,
          ...[`--node-name=${node}`, '--pods-dir=/srv', '--probe-seconds=5', '--scratch-reserve=1'],
          ...(options.agentFlags ?? []),
        ]),
      from,
    );

  say('controller and node agent, each as its own service account');
  const startController = () => program('controller', {}, (argv) => [...argv, '--identity=the-only-one']);
  let controller = await startController();
  building.defer(() => controller[Symbol.asyncDispose]());
  let agent = await startAgent();
  for (const node of otherNodes) building.use(await startAgent(node));
  building.defer(() => agent[Symbol.asyncDispose]());

  const backup = async (name: string) => VMBackup.parse(await cluster.get(`${apiPath('vmbackups')}/${name}`));
  await ready(cluster, controller, agent);
  const resources = building.move();
  return {
    cluster,
    kubevirt: new KubeVirt(cluster),
    podsDir,
    repository,
    mover: [process.execPath, join(bundles, 'mover.js')],
    cli: [process.execPath, join(bundles, 'kubectl-tidemark.js'), '--kubeconfig', cluster.kubeconfigPath],
    directory: scratch.path,
    programs: bundles,
    weather,
    get controller() {
      return controller;
    },
    async startController() {
      controller = await startController();
    },
    get agent() {
      return agent;
    },
    set agent(next) {
      agent = next;
    },
    async startAgent(from) {
      agent = await startAgent(NODE, from);
    },
    async apply(object) {
      await cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(object) });
    },
    backup,
    ended: (name, seconds = 90) =>
      eventually(
        `the end of backup ${name}`,
        async () => {
          const found = await backup(name);
          return found.status?.phase === 'Succeeded' || found.status?.phase === 'Failed' ? found : undefined;
        },
        seconds,
      ),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Where the API serves our objects of one kind, in the namespace of the tests. */
export function apiPath(plural: string): string {
  return `/apis/backup.tidemark.dev/v1alpha1/namespaces/${NAMESPACE}/${plural}`;
}

/** A flag for Node, whose own clock then is so far ahead of the machine's. */
function clockAhead(ms: number): string {
  const code = `const Real = Date; globalThis.Date = class extends Real {
    constructor(...args) { args.length === 0 ? super(Real.now() + ${ms}) : super(...args); }
    static now() { return Real.now() + ${ms}; }
  };`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}

/** A file of the repository that this test stands in. */
function fileOf(path: string): string {
  return new URL(`../../../${path}`, import.meta.url).pathname;
}

async function prepare(cluster: ControlPlane, repository: string, nodes: readonly string[]): Promise<void> {
  const apply = (...paths: readonly string[]) =>
    cluster.kubectl(['apply', '--server-side', ...paths.flatMap((path) => ['-f', fileOf(path)])]);
  await apply('deploy/namespace.yaml', 'deploy/crds', 'test/support/launcher/kubevirt-crds.yaml');
  await apply('deploy/rbac', 'deploy/admission');
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    ...nodes.map((name) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } })),
    {
      apiVersion: 'backup.tidemark.dev/v1alpha1',
      kind: 'VMBackupRepository',
      metadata: { name: 'nas' },
      spec: { local: { path: repository }, allowedNamespaces: [NAMESPACE] },
    },
  ];
  for (const object of objects)
    await cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(object) });
}

async function ready(cluster: ControlPlane, controller: Program, agent: Program): Promise<void> {
  try {
    await cluster.kubectl(['wait', '--for=condition=Ready', 'tmrepo/nas', '--timeout=60s']);
  } catch (error) {
    const logs = `${await controller.log()}\n${await agent.log()}`;
    throw new Error(`the repository did not become ready; the logs:\n${logs.slice(-8000)}`, { cause: error });
  }
}
