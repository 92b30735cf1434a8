import type { VMBackupRepositorySpec } from '../../crds/vmbackuprepository.ts';
import { fitName } from '../short-hash.ts';

/**
 * The Job that runs one program of ours where no agent is needed: a restore, a check, the backup of a stopped VM. Its pod holds no
 * credentials and no capabilities; what it is to do stands in its arguments and environment, and what came of it in its exit code and
 * the last line of its log.
 */
export interface MoverJob {
  readonly namespace: string;
  /** Deterministic: whoever asks again for the same work finds the same Job. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whose work it is: the Job goes with it. */
  readonly owner: OwnerReference;
  readonly image: string;
  /** Which of the image's programs. */
  readonly program: 'mover' | 'offline-backup';
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** How often a pod that failed is tried again by the Job itself. */
  readonly retries: number;
  /** The Job is ended after so many seconds, and removed so long after its end; neither if left out. */
  readonly activeSeconds?: number;
  readonly keptSeconds?: number;
  readonly repository: MountedRepository;
  readonly claims: readonly MountedClaim[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** The part of a repository that a Job sees, at the same place below {@link REPOSITORY_PATH} as below the repository's root. */
export interface MountedRepository {
  readonly spec: VMBackupRepositorySpec;
  /** Below its root: the directory of one namespace; empty for all of it. */
  readonly subdirectory: string;
  readonly readOnly: boolean;
}

/** A claim in the pod's namespace, and where the pod sees it: a directory, or a device. */
export interface MountedClaim {
  /** Of the pod's volume. */
  readonly name: string;
  readonly claimName: string;
  readonly volumeMode: 'Filesystem' | 'Block';
  readonly path: string;
}

/** On every Job of ours and on its pods. */
export const MOVER_LABELS = {
  'app.kubernetes.io/name': 'tidemark',
  'app.kubernetes.io/component': 'mover',
} as const;

/** Where the pod sees the repository, or its part of it. */
export const REPOSITORY_PATH = '/mnt/repository';
/** Where the pod may write what nobody needs afterwards. */
export const SCRATCH_PATH = '/mnt/scratch';
const STATE_PATH = '/mnt/state';
/** Where KubeVirt keeps the overlays in the claim with a VM's state. Source: kubevirt, pkg/storage/cbt; seen on v1.9. */
export const OVERLAYS_PATH = `${STATE_PATH}/cbt`;
/** KubeVirt's QEMU runs as this user and group, so that disks must be theirs. The node agent is this user, too. */
const QEMU = 107;
/** Of the files in the repository: the node agent writes them with this group. */
const REPOSITORY_GROUP = 0;

/** A disk's claim, mounted: KubeVirt keeps the disk in the file `disk.img`, or it is the device itself. */
export function mountedDisk(
  volume: string,
  { claimName, volumeMode }: Pick<MountedClaim, 'claimName' | 'volumeMode'>,
): MountedClaim {
  const path = volumeMode === 'Block' ? `/dev/disk-${volume}` : `/mnt/disks/${volume}`;
  return { name: fitName(`disk-${volume}`, 63), claimName, volumeMode, path };
}

/** The claim with a VM's state, mounted. */
export function mountedState(claimName: string): MountedClaim {
  return { name: 'state', claimName, volumeMode: 'Filesystem', path: STATE_PATH };
}

/** The disk in a claim that is mounted so. */
export function diskPath({ volumeMode, path }: MountedClaim): string {
  return volumeMode === 'Block' ? path : `${path}/disk.img`;
}

/** The Job, as the API server takes it. */
export function moverJob(job: MoverJob): {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences: readonly object[];
  };
  readonly spec: object;
} {
  const { namespace, name, owner } = job;
  const labels = { ...MOVER_LABELS, ...job.labels };
  return {
    metadata: {
      namespace,
      name,
      labels,
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: false }],
    },
    spec: {
      // A pod that is lost with its node is tried again; the mover begins anew where nothing was committed.
      backoffLimit: job.retries,
      ...(job.activeSeconds !== undefined && { activeDeadlineSeconds: job.activeSeconds }),
      ...(job.keptSeconds !== undefined && { ttlSecondsAfterFinished: job.keptSeconds }),
      // What is wrong with the data or the command stays wrong.
      podFailurePolicy: {
        rules: [
          { action: 'FailJob', onExitCodes: { containerName: 'mover', operator: 'In', values: [1, 2, 6] } },
        ],
      },
      template: { metadata: { labels }, spec: podSpec(job) },
    },
  };
}

function podSpec({ image, program, args, env = {}, repository, claims }: MoverJob): object {
  const directories = claims.filter(({ volumeMode }) => volumeMode === 'Filesystem');
  const devices = claims.filter(({ volumeMode }) => volumeMode === 'Block');
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    // A VM that starts must not wait for us.
    terminationGracePeriodSeconds: 5,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: QEMU,
      // What is written to the repository belongs to the group that all who write there share.
      runAsGroup: repository.readOnly ? QEMU : REPOSITORY_GROUP,
      fsGroup: QEMU,
      // Not every file of a large claim has to be looked at before the pod starts.
      fsGroupChangePolicy: 'OnRootMismatch',
      supplementalGroups: [QEMU, REPOSITORY_GROUP],
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'mover',
        image,
        command: ['node', `dist/${program}.js`],
        args: [...args],
        env: [
          { name: 'HOME', value: SCRATCH_PATH },
          ...Object.entries(env).map(([name, value]) => ({ name, value })),
        ],
        // The program says what went wrong in the last line of its log, as JSON.
        terminationMessagePolicy: 'FallbackToLogsOnError',
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '1Gi' } },
        volumeMounts: [
          { name: 'scratch', mountPath: SCRATCH_PATH },
          ...repositoryMounts(repository),
          ...directories.map(({ name, path }) => ({ name, mountPath: path })),
        ],
        volumeDevices: devices.map(({ name, path }) => ({ name, devicePath: path })),
      },
    ],
    volumes: [
      { name: 'scratch', emptyDir: {} },
      { name: 'repository', ...repositoryVolume(repository) },
      ...claims.map(({ name, claimName }) => ({ name, persistentVolumeClaim: { claimName } })),
    ],
  };
}

/**
 * A reader mounts the directory itself. A writer mounts the root and sees only the directory (subPath), which the kubelet makes for the
 * first backup of a namespace; what the mover writes at the root, its mark, ends in the pod's scratch.
 */
function repositoryMounts({ subdirectory, readOnly }: MountedRepository): readonly object[] {
  const mount = { name: 'repository', mountPath: below(REPOSITORY_PATH, subdirectory), readOnly };
  if (readOnly || subdirectory === '') return [mount];
  return [
    { name: 'scratch', mountPath: REPOSITORY_PATH, subPath: 'repository' },
    { ...mount, subPath: subdirectory },
  ];
}

/** An inline volume, so that a tenant's namespace needs no PersistentVolume, and sees only its own part. */
function repositoryVolume({ spec: { nfs, local }, subdirectory, readOnly }: MountedRepository): object {
  const at = (root: string): string => (readOnly ? below(root, subdirectory) : root);
  if (nfs !== undefined) return { nfs: { server: nfs.server, path: at(nfs.path), readOnly } };
  return { hostPath: { path: at(local?.path ?? ''), type: 'Directory' } };
}

function below(root: string, directory: string): string {
  return [root.replace(/(?<=.)\/+$/, ''), directory].filter((part) => part !== '').join('/');
}
