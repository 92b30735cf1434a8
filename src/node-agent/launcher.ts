import { join } from 'node:path';

/** A file or directory in an emptyDir of the launcher pod, by both its names. */
export interface SharedPath {
  /** As libvirt and QEMU know it, inside the launcher pod. */
  readonly inside: string;
  /** As the agent knows it, under the pods directory. */
  readonly outside: string;
}

/** Where a virt-launcher pod is touched from its node (KubeVirt's rendervolumes.go names the emptyDirs). */
export interface PodPaths {
  readonly libvirtSocket: string;
  /** For NBD sockets. */
  readonly sockets: SharedPath;
  /** For scratch files; on the node's ephemeral storage. */
  readonly scratch: SharedPath;
}

/** No way to the launcher. `reason` goes unchanged into conditions. */
export class LauncherError extends Error {
  readonly reason: 'SocketPathTooLong' | 'InvalidPodUid';

  constructor(message: string, reason: LauncherError['reason']) {
    super(message);
    this.name = 'LauncherError';
    this.reason = reason;
  }
}

/**
 * The paths of one launcher pod.
 *
 * @param podsDirectory kubelet's `pods` directory as mounted here, `/pods` in the shipped DaemonSet
 * @throws LauncherError `InvalidPodUid` for a UID that could leave the directory; `SocketPathTooLong`.
 */
export function podPaths(podsDirectory: string, podUid: string): PodPaths {
  if (!/^[0-9A-Za-z-]+$/.test(podUid)) {
    throw new LauncherError(`"${podUid}" is no pod UID`, 'InvalidPodUid');
  }
  const volumes = join(podsDirectory, podUid, 'volumes/kubernetes.io~empty-dir');
  const libvirtSocket = join(volumes, 'libvirt-runtime/virtqemud-sock');
  assertSocketPathFits(libvirtSocket);
  return {
    libvirtSocket,
    sockets: { inside: '/var/run/kubevirt/sockets', outside: join(volumes, 'sockets') },
    scratch: { inside: '/var/run/kubevirt-ephemeral-disks', outside: join(volumes, 'ephemeral-disks') },
  };
}

/** sun_path holds 108 bytes, the last of them zero (unix(7)). */
const socketPathBytes = 107;

/** @throws LauncherError `SocketPathTooLong` when no process can connect to, or listen on, this path. */
export function assertSocketPathFits(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= socketPathBytes) return;
  throw new LauncherError(
    `The unix socket path ${path} has ${bytes} bytes, and ${socketPathBytes} is the most that can be: ` +
      "mount kubelet's pods directory at a shorter path, such as /pods",
    'SocketPathTooLong',
  );
}

/**
 * The NBD socket of that name. Under `/pods` there are 24 bytes for the name.
 *
 * @throws LauncherError `SocketPathTooLong`
 */
export function nbdSocket(paths: PodPaths, name: string): SharedPath {
  const socket = sharedPath(paths.sockets, name);
  assertSocketPathFits(socket.outside);
  assertSocketPathFits(socket.inside);
  return socket;
}

/** A file in a shared directory. */
export function sharedPath(directory: SharedPath, name: string): SharedPath {
  return { inside: join(directory.inside, name), outside: join(directory.outside, name) };
}

/** What is read of a VirtualMachineInstance. */
export interface LauncherVmi {
  readonly metadata: { readonly uid?: string | undefined; readonly name?: string | undefined };
  readonly status?:
    | {
        readonly nodeName?: string | undefined;
        readonly activePods?: Readonly<Record<string, string>> | undefined;
        readonly migrationState?:
          | {
              readonly completed?: boolean | undefined;
              readonly failed?: boolean | undefined;
              readonly targetPod?: string | undefined;
            }
          | undefined;
      }
    | undefined;
}

/** What is read of a Pod. */
export interface LauncherPod {
  readonly metadata: {
    readonly uid?: string | undefined;
    readonly name?: string | undefined;
    readonly creationTimestamp?: string | undefined;
    readonly ownerReferences?:
      | readonly { readonly uid: string; readonly controller?: boolean | undefined }[]
      | undefined;
  };
  readonly spec?: { readonly nodeName?: string | undefined } | undefined;
  readonly status?: { readonly phase?: string | undefined } | undefined;
}

export type LauncherChoice<P extends LauncherPod> =
  | { readonly found: true; readonly pod: P; readonly podUid: string }
  | {
      readonly found: false;
      readonly reason: 'VMNotOnNode' | 'LauncherNotFound' | 'LauncherAmbiguous';
      readonly message: string;
    };

/**
 * The pod in which the VMI runs: KubeVirt's own rule (CurrentVMIPod: the newest pod that the VMI controls on
 * `status.nodeName`), and it must run, be in `activePods`, and not be where an unfinished migration leads. A label
 * cannot tell the last: a migration's target keeps its label after it has become the source.
 */
export function chooseLauncherPod<P extends LauncherPod>(
  vmi: LauncherVmi,
  pods: readonly P[],
  nodeName: string,
): LauncherChoice<P> {
  const name = vmi.metadata.name ?? '';
  const vmNode = vmi.status?.nodeName;
  if (vmNode !== nodeName) {
    const where = vmNode === undefined ? 'on no node' : `on node ${vmNode}`;
    return {
      found: false,
      reason: 'VMNotOnNode',
      message: `The VM ${name} runs ${where}, not on ${nodeName}`,
    };
  }
  const [first, second] = pods.filter((pod) => isCurrent(pod, vmi, nodeName)).sort(newestFirst);
  const podUid = first?.metadata.uid;
  if (first === undefined || podUid === undefined) {
    const message = `No running virt-launcher pod of the VM ${name} is active on node ${nodeName}`;
    return { found: false, reason: 'LauncherNotFound', message };
  }
  if (second !== undefined && newestFirst(first, second) === 0) {
    const names = `${first.metadata.name} and ${second.metadata.name}`;
    const message = `The virt-launcher pods ${names} of the VM ${name} on node ${nodeName} are of one age`;
    return { found: false, reason: 'LauncherAmbiguous', message };
  }
  return { found: true, pod: first, podUid };
}

function isCurrent(pod: LauncherPod, vmi: LauncherVmi, nodeName: string): boolean {
  const { uid, name, ownerReferences = [] } = pod.metadata;
  const { activePods = {}, migrationState } = vmi.status ?? {};
  const migrating = migrationState !== undefined && migrationState.completed !== true;
  return (
    uid !== undefined &&
    pod.spec?.nodeName === nodeName &&
    pod.status?.phase === 'Running' &&
    activePods[uid] === nodeName &&
    vmi.metadata.uid !== undefined &&
    ownerReferences.some((owner) => owner.controller === true && owner.uid === vmi.metadata.uid) &&
    !(migrating && migrationState.failed !== true && migrationState.targetPod === name)
  );
}

function newestFirst(a: LauncherPod, b: LauncherPod): number {
  return Date.parse(b.metadata.creationTimestamp ?? '') - Date.parse(a.metadata.creationTimestamp ?? '') || 0;
}
