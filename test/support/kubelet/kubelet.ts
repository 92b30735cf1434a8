import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { pods } from '../../../src/crds/core.ts';
import type { Kube } from '../../../src/kube/client.ts';
import { connectKube } from '../../../src/kube/connect.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { type Container, startContainer } from './container.ts';
import { type LogServer, serveLogs } from './log-server.ts';
import { bindDevices, DEVICE, detachDevices } from './devices.ts';
import { bindVolumes, type Mount, provisionClaims } from './volumes.ts';

/**
 * Plays scheduler, kubelet and storage provisioner for the pods of our own Jobs: it binds each to its node, runs the mover of this source
 * tree as a process in a mount namespace of its own, with the pod's volumes, user and groups, and reports phase, exit code and
 * termination message as a kubelet does. Everything else about Jobs is real: the API server, the Job controller, the garbage collector.
 */
export interface KubeletOptions {
  readonly cluster: ControlPlane;
  readonly nodeName: string;
  /** Where claims and logs are. */
  readonly directory: string;
  /** The bundles: what the image has under `dist`. */
  readonly programs: string;
  /** The directories of NFS exports, by `server:/path`; a pod that wants another waits. */
  readonly nfs?: Readonly<Record<string, string>>;
}

export interface Kubelet extends AsyncDisposable {
  /** The directory of a claim that it provisioned. */
  claimDirectory(namespace: string, name: string): string;
  /** The file behind a claim of mode Block. */
  claimDevice(namespace: string, name: string): string;
  /** Pods wait from now on, as if no node had room; until it is called again with false. */
  hold(isHeld: boolean): void;
  /** Kills the next container that can write into this file as soon as it has begun to. Resolves when that has happened. */
  killAsItWrites(file: string): Promise<void>;
  /** Kills the next container that begins so many milliseconds later, unless it has ended. Resolves when that has happened. */
  killNext(afterMs: number): Promise<void>;
}

export const Pod = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    deletionTimestamp: z.string().optional(),
    deletionGracePeriodSeconds: z.int().optional(),
  }),
  spec: z.looseObject({
    nodeName: z.string().optional(),
    securityContext: z.looseObject({
      runAsUser: z.int(),
      runAsGroup: z.int(),
      fsGroup: z.int(),
      supplementalGroups: z.array(z.int()).default([]),
    }),
    containers: z
      .array(
        z.looseObject({
          name: z.string(),
          command: z.array(z.string()),
          args: z.array(z.string()).default([]),
          env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
          volumeMounts: z
            .array(
              z.looseObject({
                name: z.string(),
                mountPath: z.string(),
                subPath: z.string().optional(),
                readOnly: z.boolean().default(false),
              }),
            )
            .default([]),
          volumeDevices: z.array(z.object({ name: z.string(), devicePath: z.string() })).default([]),
        }),
      )
      .length(1),
    volumes: z.array(z.looseObject({ name: z.string() })).default([]),
  }),
  status: z.looseObject({ phase: z.string().optional() }).optional(),
});
export type Pod = z.infer<typeof Pod>;

const EVERY_MS = 150;

export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { cluster, nodeName, directory } = options;
  const kube = connectKube({ kubeconfigPath: cluster.kubeconfigPath, userAgent: 'test-kubelet' });
  const running = new Map<string, Container>();
  const logs: LogServer = await serveLogs(join(directory, 'kubelet'), (namespace, name) =>
    [...running.values()]
      .find(({ pod }) => pod.metadata.namespace === namespace && pod.metadata.name === name)
      ?.log(),
  );
  await announce(cluster, nodeName, logs.port);
  let isHeld = false;
  let strike: { readonly file: string; readonly at: (container: Container) => void } | undefined;
  let killer: ((container: Container) => void) | undefined;
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        await provisionClaims(kube, cluster, directory, stop.signal);
        for (const pod of await ourPods(kube, stop.signal)) await bring(pod);
      } catch (error) {
        // The API server is stopped and killed in tests; a kubelet outlives that.
        if (!stop.signal.aborted) console.error(`kubelet: ${String(error).slice(0, 300)}`);
      }
      await sleep(EVERY_MS);
    }
  })();

  async function bring(pod: Pod): Promise<void> {
    const { name, namespace, uid, deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata;
    const container = running.get(uid);
    if (deletionTimestamp !== undefined) {
      await container?.stop(deletionGracePeriodSeconds * 1000);
      running.delete(uid);
      await cluster.kubectl([
        '-n',
        namespace,
        'delete',
        'pod',
        name,
        '--force',
        '--grace-period=0',
        '--ignore-not-found',
      ]);
      return;
    }
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return;
    if (container !== undefined) {
      const ended = container.ended();
      if (ended !== undefined)
        await tell(pod, ended.exitCode === 0 ? 'Succeeded' : 'Failed', { terminated: ended });
      return;
    }
    if (isHeld) return;
    if (pod.spec.nodeName === undefined) await bindTo(pod);
    const mounts = await bindVolumes(cluster, pod, options);
    if (typeof mounts === 'string') {
      await tell(pod, 'Pending', { waiting: { reason: 'ContainerCreating', message: mounts } });
      return;
    }
    const started = await startContainer(
      pod,
      [...mounts, ...image(options.programs)],
      await bindDevices(cluster, pod),
      join(directory, 'kubelet', `${uid}.log`),
    );
    running.set(uid, started);
    // Before anybody is told: a small disk is written before the API server has heard that it has begun.
    if (strike !== undefined && mounts.some(({ from }) => strike?.file.startsWith(`${from}/`))) {
      strike.at(started);
      strike = undefined;
    }
    killer?.(started);
    killer = undefined;
    await tell(pod, 'Running', { running: { startedAt: new Date().toISOString() } });
  }

  async function bindTo({ metadata: { name, namespace } }: Pod): Promise<void> {
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name },
      target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
    };
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/binding`;
    await cluster.kubectl(['create', '--raw', path, '-f', '-'], { stdin: JSON.stringify(binding) });
  }

  async function tell({ metadata, spec }: Pod, phase: string, state: object): Promise<void> {
    const [container] = spec.containers;
    const status = {
      phase,
      containerStatuses: [
        {
          name: container?.name,
          image: 'tidemark',
          imageID: '',
          ready: phase === 'Running',
          restartCount: 0,
          state,
        },
      ],
    };
    await cluster.kubectl([
      ...['-n', metadata.namespace, 'patch', 'pod', metadata.name, '--subresource=status', '--type=merge'],
      ...['-p', JSON.stringify({ status })],
    ]);
  }

  return {
    claimDirectory: (namespace, name) => join(directory, 'claims', namespace, name),
    claimDevice: (namespace, name) => join(directory, 'claims', namespace, name, DEVICE),
    hold(held) {
      isHeld = held;
    },
    async killAsItWrites(file) {
      const struck = await new Promise<Container>((resolve) => {
        strike = { file, at: resolve };
      });
      while (struck.ended() === undefined && !(await hasContent(file))) await sleep(1);
      if (struck.ended() !== undefined) throw new Error('it ended before it could be killed');
      await struck.kill();
    },
    async killNext(afterMs) {
      const struck = await new Promise<Container>((resolve) => {
        killer = resolve;
      });
      await sleep(afterMs);
      if (struck.ended() === undefined) await struck.kill();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
      for (const container of running.values()) await container.kill();
      await detachDevices(directory);
      await logs[Symbol.asyncDispose]();
    },
  };
}

async function hasContent(file: string): Promise<boolean> {
  return await stat(file).then(
    ({ blocks }) => blocks > 0,
    () => false,
  );
}

/** Where the API server finds the logs of this node's pods. */
async function announce(cluster: ControlPlane, nodeName: string, port: number): Promise<void> {
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  };
  const patch = ['patch', 'node', nodeName, '--subresource=status', '--type=merge'];
  await cluster.kubectl([...patch, '-p', JSON.stringify({ status })]);
}

/** What the image brings: Node and the bundles, where a user without any rights on the host's directories can read them. */
function image(programs: string): readonly Mount[] {
  return [
    { from: dirname(process.execPath), to: '/mnt/node', readOnly: true },
    { from: programs, to: '/mnt/dist', readOnly: true },
  ];
}

async function ourPods(kube: Kube, signal: AbortSignal): Promise<readonly Pod[]> {
  const selection = { labelSelector: 'app.kubernetes.io/component=mover' };
  const { items } = await kube.listPage(pods, selection, {}, signal);
  return items.map((item) => Pod.parse(item));
}
