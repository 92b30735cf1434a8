import type { VMBackupRepositorySpec } from '../../crds/vmbackuprepository.ts';

/**
 * The Job that runs one command of the mover where no agent is needed: a restore, a check, a deletion. Its pod holds no credentials and
 * no capabilities; what it is to do stands in its arguments, and what came of it in its exit code and the last line of its log.
 */
export interface MoverJob {
  readonly namespace: string;
  /** Deterministic: whoever asks again for the same work finds the same Job. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whose work it is: the Job goes with it. */
  readonly owner: OwnerReference;
  readonly image: string;
  /** For the mover, without the program. */
  readonly args: readonly string[];
  readonly repository: MountedRepository;
  /** The claim that is written to, or none. */
  readonly disk?: MountedDisk;
  /** The user that the agents write the repository as, for work that removes what they wrote. KubeVirt's QEMU if left out. */
  readonly user?: number;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** The part of a repository that a Job sees. */
export interface MountedRepository {
  readonly spec: VMBackupRepositorySpec;
  /** Below its root; '' is all of it. */
  readonly subdirectory: string;
  readonly readOnly: boolean;
}

export interface MountedDisk {
  readonly claimName: string;
  readonly volumeMode: 'Filesystem' | 'Block';
}

/** On every Job of ours and on its pods. */
export const MOVER_LABELS = {
  'app.kubernetes.io/name': 'tidemark',
  'app.kubernetes.io/component': 'mover',
} as const;

/** Where the pod sees the repository, or the part of it. */
export const REPOSITORY_PATH = '/mnt/repository';
/** Where the pod sees a claim with a file system; KubeVirt keeps the disk in the file `disk.img`. */
export const DISK_PATH = '/mnt/disk';
/** Where the pod sees a claim that is a block device. */
export const DEVICE_PATH = '/dev/disk';

/** KubeVirt's QEMU runs as this user and group, so that disks must be theirs. */
const QEMU = 107;
/** Of the files in the repository: the node agent writes them with this group. */
const REPOSITORY_GROUP = 0;
/** Of the files in the repository: the node agent writes them as this user. */
export const REPOSITORY_OWNER = 0;

/** The path that a restore writes to. */
export function targetPath({ volumeMode }: Pick<MountedDisk, 'volumeMode'>): string {
  return volumeMode === 'Block' ? DEVICE_PATH : `${DISK_PATH}/disk.img`;
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
      backoffLimit: 2,
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

function podSpec({ image, args, repository, disk, user = QEMU }: MoverJob): object {
  const isBlock = disk?.volumeMode === 'Block';
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: user !== REPOSITORY_OWNER,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      // Not every file of a large claim has to be looked at before the pod starts.
      fsGroupChangePolicy: 'OnRootMismatch',
      supplementalGroups: [REPOSITORY_GROUP],
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'mover',
        image,
        command: ['node', 'dist/mover.js'],
        args: [...args],
        // The mover says what went wrong in the last line of its log, as JSON.
        terminationMessagePolicy: 'FallbackToLogsOnError',
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
        volumeMounts: [
          { name: 'repository', mountPath: REPOSITORY_PATH, readOnly: repository.readOnly },
          ...(disk && !isBlock ? [{ name: 'disk', mountPath: DISK_PATH }] : []),
        ],
        ...(isBlock && { volumeDevices: [{ name: 'disk', devicePath: DEVICE_PATH }] }),
      },
    ],
    volumes: [
      { name: 'repository', ...repositoryVolume(repository) },
      ...(disk ? [{ name: 'disk', persistentVolumeClaim: { claimName: disk.claimName } }] : []),
    ],
  };
}

/** An inline volume, so that a tenant's namespace needs no PersistentVolume, and sees only its own part. */
function repositoryVolume({ spec: { nfs, local }, subdirectory, readOnly }: MountedRepository): object {
  const at = (root: string): string =>
    [root.replace(/(?<=.)\/+$/, ''), subdirectory].filter((it) => it !== '').join('/');
  if (nfs !== undefined) return { nfs: { server: nfs.server, path: at(nfs.path), readOnly } };
  return { hostPath: { path: at(local?.path ?? ''), type: 'Directory' } };
}
