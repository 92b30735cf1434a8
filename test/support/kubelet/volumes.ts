import { chmod, chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { persistentVolumeClaims } from '../../../src/crds/core.ts';
import type { Kube } from '../../../src/kube/client.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { makeDevice } from './devices.ts';
import type { KubeletOptions, Pod } from './kubelet.ts';

/** A directory of the host, and where a container sees it. */
export interface Mount {
  readonly from: string;
  readonly to: string;
  readonly readOnly: boolean;
}

/** Claims of this class get a directory of their own, as big as the machine's disk. */
export const STORAGE_CLASS = 'stand-in';

const Volume = z.looseObject({
  name: z.string(),
  emptyDir: z.object({}).optional(),
  hostPath: z.object({ path: z.string() }).optional(),
  nfs: z.object({ server: z.string(), path: z.string() }).optional(),
  persistentVolumeClaim: z.object({ claimName: z.string() }).optional(),
});

const Claim = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string(), uid: z.string() }),
  spec: z.looseObject({
    storageClassName: z.string().optional(),
    volumeMode: z.string().optional(),
    volumeName: z.string().optional(),
    accessModes: z.array(z.string()),
    resources: z.looseObject({ requests: z.looseObject({ storage: z.string() }) }),
  }),
  status: z.looseObject({ phase: z.string().optional() }).optional(),
});

const PersistentVolume = z.looseObject({ spec: z.looseObject({ hostPath: z.object({ path: z.string() }) }) });

/** The pod's mounts; or what it waits for. */
export async function bindVolumes(
  cluster: ControlPlane,
  pod: Pod,
  options: KubeletOptions,
): Promise<readonly Mount[] | string> {
  const [container] = pod.spec.containers;
  const mounts: Mount[] = [];
  for (const { name, mountPath, readOnly, subPath } of container?.volumeMounts ?? []) {
    const volume = Volume.parse(pod.spec.volumes.find((it) => it.name === name));
    const from = await directoryOf(cluster, pod, volume, options);
    if (from === undefined) return `volume ${name} is not there yet`;
    mounts.push({ from: subPath === undefined ? from : await below(from, subPath), to: mountPath, readOnly });
  }
  return mounts;
}

/** A subPath that is missing is made, with the mode and group of the volume's root: kubernetes, pkg/volume/util/subpath. */
async function below(root: string, subPath: string): Promise<string> {
  const { mode, gid } = await stat(root);
  let path = root;
  for (const part of subPath.split('/')) {
    path = join(path, part);
    const isNew = await mkdir(path).then(
      () => true,
      () => false,
    );
    if (!isNew) continue;
    await chmod(path, mode & 0o7777);
    await chown(path, 0, gid);
  }
  return path;
}

async function directoryOf(
  cluster: ControlPlane,
  pod: Pod,
  { name, emptyDir, hostPath, nfs, persistentVolumeClaim }: z.infer<typeof Volume>,
  options: KubeletOptions,
): Promise<string | undefined> {
  if (emptyDir !== undefined) {
    const path = join(options.directory, 'empty-dirs', pod.metadata.uid, name);
    await mkdir(path, { recursive: true });
    await chown(path, 0, pod.spec.securityContext.fsGroup);
    await chmod(path, 0o2777);
    return path;
  }
  if (hostPath !== undefined) return hostPath.path;
  if (nfs !== undefined) {
    const [known, directory] =
      Object.entries(options.nfs ?? {}).find(([name]) => `${nfs.server}:${nfs.path}`.startsWith(name)) ?? [];
    return known === undefined || directory === undefined
      ? undefined
      : join(directory, `${nfs.server}:${nfs.path}`.slice(known.length));
  }
  const { namespace } = pod.metadata;
  const claim = await get(cluster, Claim, ['-n', namespace, 'pvc', persistentVolumeClaim?.claimName ?? '']);
  if (claim.status?.phase !== 'Bound' || claim.spec.volumeName === undefined) return undefined;
  const { spec } = await get(cluster, PersistentVolume, ['pv', claim.spec.volumeName]);
  const { fsGroup } = pod.spec.securityContext;
  // What fsGroup is for: the volume's root is the group's to write.
  await chown(spec.hostPath.path, 0, fsGroup);
  await chmod(spec.hostPath.path, 0o2775);
  return spec.hostPath.path;
}

/** Gives each claim of our class that waits a volume; the real controller manager binds the two. */
export async function provisionClaims(
  kube: Kube,
  cluster: ControlPlane,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const { items } = await kube.listPage(persistentVolumeClaims, {}, {}, signal);
  for (const { metadata, spec, status } of items.map((item) => Claim.parse(item))) {
    const { name, namespace, uid } = metadata;
    if (spec.storageClassName !== STORAGE_CLASS || spec.volumeName !== undefined) continue;
    if (status?.phase !== undefined && status.phase !== 'Pending') continue;
    const path = join(directory, 'claims', namespace, name);
    await mkdir(path, { recursive: true });
    if (spec.volumeMode === 'Block') await makeDevice(path, spec.resources.requests.storage);
    const volume = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `pvc-${uid}` },
      spec: {
        accessModes: spec.accessModes,
        volumeMode: spec.volumeMode,
        capacity: { storage: spec.resources.requests.storage },
        storageClassName: STORAGE_CLASS,
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path },
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      },
    };
    await cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(volume) });
  }
}

async function get<T>(cluster: ControlPlane, schema: z.ZodType<T>, args: readonly string[]): Promise<T> {
  const flags = args[0] === '-n' ? args.slice(0, 2) : [];
  const rest = args.slice(flags.length);
  return schema.parse(JSON.parse(await cluster.kubectl([...flags, 'get', ...rest, '-o', 'json'])));
}
