import type {
  V1OwnerReference,
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1Pod,
} from '@kubernetes/client-node';

const image = 'quay.io/kubevirt/virt-launcher:v1.9.0';

/** What the builders need to know of a VM; a StandInVm fits. */
export interface KubeVirtVm {
  readonly namespace: string;
  readonly name: string;
  /** The firmware's. */
  readonly uuid: string;
  readonly serial: string;
  /** Bytes. */
  readonly memory: number;
  readonly disks: readonly KubeVirtDisk[];
}

export interface KubeVirtDisk {
  readonly volume: string;
  readonly claim: string;
  readonly kind: 'qcow2' | 'raw' | 'cbt' | 'iso';
  /** vda, vdb... */
  readonly target: string;
  /** Bytes. */
  readonly size: number;
  /** The claim's directory on the node. */
  readonly directory: string;
  readonly volumeMode?: 'Filesystem' | 'Block';
}

/** An object of group kubevirt.io/v1, as sent to the API server. Status goes to the status subresource. */
export interface KubeVirtObject {
  readonly apiVersion: 'kubevirt.io/v1';
  readonly kind: 'VirtualMachine' | 'VirtualMachineInstance';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly V1OwnerReference[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Where a VM's pod runs: the pod's UID is the API server's. */
export interface Running {
  readonly podUid: string;
  readonly nodeName: string;
  /** Of the conditions. */
  readonly since: Date;
}

/** The VirtualMachine, as a user's plus KubeVirt's defaults (firmware uuid and serial). */
export function virtualMachine(vm: KubeVirtVm): KubeVirtObject {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name: vm.name, namespace: vm.namespace, labels: { app: vm.name } },
    spec: {
      runStrategy: 'Always',
      template: {
        metadata: { labels: { 'kubevirt.io/domain': vm.name } },
        spec: instanceSpec(vm),
      },
    },
  };
}

/** VirtualMachine.status while it runs, or is stopped. */
export function virtualMachineStatus(vm: KubeVirtVm, printableStatus: 'Running' | 'Stopped') {
  const running = printableStatus === 'Running';
  return { created: running, ready: running, printableStatus, ...changedBlockTracking(vm) };
}

/** The VirtualMachineInstance KubeVirt makes at each start. @param vmUid of the VirtualMachine. */
export function virtualMachineInstance(vm: KubeVirtVm, vmUid: string): KubeVirtObject {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: {
      name: vm.name,
      namespace: vm.namespace,
      labels: { 'kubevirt.io/domain': vm.name },
      ownerReferences: [controlledBy('VirtualMachine', vm.name, vmUid)],
    },
    spec: instanceSpec(vm),
  };
}

/** VirtualMachineInstance.status of a running one. */
export function virtualMachineInstanceStatus(vm: KubeVirtVm, { podUid, nodeName, since }: Running) {
  const at = since.toISOString();
  return {
    phase: 'Running',
    nodeName,
    activePods: { [podUid]: nodeName },
    runtimeUser: 107,
    selinuxContext: 'none',
    machine: { type: 'q35' },
    ...changedBlockTracking(vm),
    volumeStatus: vm.disks.map(({ volume, target, claim, size }) => ({
      name: volume,
      target,
      persistentVolumeClaimInfo: {
        claimName: claim,
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: String(size) },
        requests: { storage: String(size) },
        filesystemOverhead: '0.055',
        volumeMode: 'Filesystem',
      },
    })),
    conditions: [
      { type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: at },
      { type: 'LiveMigratable', status: 'False', reason: 'DisksNotLiveMigratable', lastTransitionTime: at },
    ],
  };
}

/** The launcher pod. The API server completes its name. @param vmiUid of the VirtualMachineInstance. */
export function launcherPod(vm: KubeVirtVm, vmiUid: string, nodeName: string): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `virt-launcher-${vm.name}-`,
      namespace: vm.namespace,
      labels: {
        'kubevirt.io': 'virt-launcher',
        'kubevirt.io/created-by': vmiUid,
        'kubevirt.io/domain': vm.name,
        'kubevirt.io/nodeName': nodeName,
        'vm.kubevirt.io/name': vm.name,
        'vmi.kubevirt.io/id': vm.name,
      },
      annotations: {
        'kubevirt.io/domain': vm.name,
        'kubectl.kubernetes.io/default-container': 'compute',
      },
      ownerReferences: [controlledBy('VirtualMachineInstance', vm.name, vmiUid)],
    },
    spec: {
      nodeName,
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: { runAsUser: 107, runAsGroup: 107, runAsNonRoot: true, fsGroup: 107 },
      containers: [{ name: 'compute', image }],
      // No kubelet stands behind the node of a test: let no controller evict the pod for that.
      tolerations: [{ operator: 'Exists' }],
    },
  };
}

/** Pod.status of a running launcher, for where there is no kubelet. */
export function launcherPodStatus(since: Date): NonNullable<V1Pod['status']> {
  return {
    phase: 'Running',
    startTime: since,
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
    containerStatuses: [
      {
        name: 'compute',
        image,
        imageID: '',
        ready: true,
        restartCount: 0,
        state: { running: { startedAt: since } },
      },
    ],
  };
}

/** The VM's claims, each bound by name to its volume of `persistentVolumes`. */
export function persistentVolumeClaims(vm: KubeVirtVm): readonly V1PersistentVolumeClaim[] {
  return vm.disks.map((disk) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: disk.claim, namespace: vm.namespace },
    spec: {
      accessModes: ['ReadWriteOnce'],
      volumeMode: disk.volumeMode ?? 'Filesystem',
      storageClassName: '',
      volumeName: volumeName(vm, disk),
      resources: { requests: { storage: String(disk.size) } },
    },
  }));
}

/** Volumes that are the disks' directories on the node; the controller manager binds them to the claims. */
export function persistentVolumes(vm: KubeVirtVm): readonly V1PersistentVolume[] {
  return vm.disks.map((disk) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: volumeName(vm, disk) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      volumeMode: disk.volumeMode ?? 'Filesystem',
      storageClassName: '',
      persistentVolumeReclaimPolicy: 'Retain',
      capacity: { storage: String(disk.size) },
      claimRef: { namespace: vm.namespace, name: disk.claim },
      hostPath: { path: disk.directory },
    },
  }));
}

function instanceSpec(vm: KubeVirtVm) {
  return {
    domain: {
      firmware: { uuid: vm.uuid, serial: vm.serial },
      machine: { type: 'q35' },
      memory: { guest: String(vm.memory) },
      resources: {},
      devices: { disks: vm.disks.map(({ volume }) => ({ name: volume, disk: { bus: 'virtio' } })) },
    },
    volumes: vm.disks.map(({ volume, claim }) => ({
      name: volume,
      persistentVolumeClaim: { claimName: claim },
    })),
  };
}

function changedBlockTracking(vm: KubeVirtVm) {
  // A plain qcow2, which no PVC of KubeVirt's holds, stands for a tracked disk as well.
  return vm.disks.some(({ kind }) => kind === 'cbt' || kind === 'qcow2')
    ? { changedBlockTracking: { state: 'Enabled' } }
    : {};
}

function volumeName(vm: KubeVirtVm, disk: KubeVirtDisk): string {
  return `${vm.namespace}-${disk.claim}`;
}

function controlledBy(kind: KubeVirtObject['kind'], name: string, uid: string): V1OwnerReference {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}
