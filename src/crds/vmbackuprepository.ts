import { z } from 'zod';
import { API_VERSION, Bytes, cel, kindOf, listAtomic, listSet, ObjectMeta, ObjectName } from './api.ts';
import { Conditions } from './conditions.ts';
import { CatalogueSpec, CatalogueStatus, ScrubEvery, ScrubStatus, UpkeepStatus } from './upkeep.ts';

const AbsolutePath = z
  .string()
  .min(1)
  .max(1024)
  .meta(
    cel({
      rule: "self.startsWith('/') && !self.contains('/../') && !self.endsWith('/..')",
      message: "write an absolute path without '..', for example /exports/backups",
    }),
  );

/** Mount options that an administrator may set: none of them can widen what the mount may do. */
const MOUNT_OPTION =
  '^(hard|soft|softerr|proto=(tcp|tcp6|rdma)|port=[0-9]{1,5}|timeo=[0-9]{1,5}|retrans=[0-9]{1,3}|rsize=[0-9]{1,8}|wsize=[0-9]{1,8}|nconnect=[0-9]{1,2}|sec=(sys|krb5|krb5i|krb5p)|noatime|actimeo=[0-9]{1,5}|lookupcache=(all|none|positive))$';

const Nfs = z.object({
  server: z
    .string()
    .min(1)
    .max(253)
    .meta(
      cel({
        rule: "self.matches('^[A-Za-z0-9.:-]+$') && !self.startsWith('-')",
        message: 'nfs.server is a host name or an address, for example nas.example.com',
      }),
    )
    .describe('Host name or address of the NFS server.'),
  path: AbsolutePath.describe('The exported directory.'),
  version: z.enum(['3', '4', '4.1', '4.2']).default('4.2').describe('The NFS version.'),
  mountOptions: z
    .array(z.string().min(1).max(64))
    .max(16)
    .meta({
      ...listAtomic,
      ...cel({
        rule: `self.all(o, o.matches('${MOUNT_OPTION}'))`,
        message:
          'mountOptions takes hard, soft, softerr, proto=, port=, timeo=, retrans=, rsize=, wsize=, nconnect=, sec=, noatime, actimeo=, lookupcache=; nosuid, nodev and noexec are always set',
      }),
    })
    .optional()
    .describe('More mount options, from a list that is known to be safe.'),
});
export type Nfs = z.infer<typeof Nfs>;

const Server = z
  .string()
  .min(1)
  .max(253)
  .meta(
    cel({
      rule: "self.matches('^[A-Za-z0-9.:-]+$') && !self.startsWith('-')",
      message: 'write a host name or an address, for example nas.example.com',
    }),
  );

const Cifs = z.object({
  server: Server.describe('Host name or address of the SMB server.'),
  share: z
    .string()
    .min(1)
    .max(80)
    .meta(
      cel({
        rule: "self.matches('^[A-Za-z0-9._$-]+( [A-Za-z0-9._$-]+)*$')",
        message: 'cifs.share is the name of a share, without slashes',
      }),
    )
    .describe('The share.'),
  path: AbsolutePath.optional().describe('A directory of the share; its root when left out.'),
  version: z.enum(['2.1', '3.0', '3.0.2', '3.1.1']).default('3.1.1').describe('The SMB version.'),
  encrypt: z.boolean().default(false).describe('Encrypt what goes over the wire (seal); SMB 3 only.'),
  secretName: ObjectName.describe(
    "A Secret in Tidemark's namespace with the keys username, password and, if need be, domain. Only the node agents read it.",
  ),
});

const CephFs = z.object({
  monitors: z.array(Server).min(1).max(16).meta(listSet).describe('Addresses of the monitors.'),
  path: AbsolutePath.describe('A directory of the file system.'),
  fileSystem: z
    .string()
    .min(1)
    .max(64)
    .meta(cel({ rule: "self.matches('^[A-Za-z0-9._-]+$')", message: 'cephfs.fileSystem is a plain name' }))
    .optional()
    .describe('The file system, if the cluster has several.'),
  user: z
    .string()
    .min(1)
    .max(64)
    .meta(
      cel({
        rule: "self.matches('^[A-Za-z0-9._-]+$')",
        message: 'cephfs.user is a plain name, without client.',
      }),
    )
    .describe('The Ceph user, without `client.`.'),
  secretName: ObjectName.describe(
    "A Secret in Tidemark's namespace with the key `key`: the user's key. Only the node agents read it.",
  ),
});

const NamespaceOrAll = z
  .string()
  .min(1)
  .max(63)
  .meta(
    cel({
      rule: "self == '*' || self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",
      message: "write the name of a namespace, or '*' for all of them",
    }),
  );

const RestoreGrant = z.object({
  clusterID: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      "The first part of a backup's path: the UID of that cluster's namespace kube-system, or '*'; this cluster when left out.",
    ),
  from: NamespaceOrAll.describe("The namespace that was backed up, or '*'."),
  into: NamespaceOrAll.describe("The namespace of the VMRestore, or '*'."),
});

export const VMBackupRepositorySpec = z
  .object({
    nfs: Nfs.optional().describe('An NFS export, mounted by whoever reads or writes it.'),
    cifs: Cifs.optional().describe('An SMB share. Mounted by the node agents: for backups of running VMs.'),
    cephfs: CephFs.optional().describe(
      'A directory of CephFS. Mounted by the node agents: for backups of running VMs.',
    ),
    local: z
      .object({ path: AbsolutePath.describe('A directory that is there on every node.') })
      .optional()
      .describe('A path that every node has already: a shared file system mounted by the node, or a test.'),
    allowedNamespaces: z
      .array(z.string().min(1).max(63))
      .min(1)
      .max(256)
      .meta(listSet)
      .describe("The namespaces that may back up to it and restore from it, or ['*'] for all."),
    maintenance: z
      .boolean()
      .default(false)
      .describe('No backup begins while true; those that run go on to their end.'),
    maxConcurrentBackups: z
      .int()
      .min(1)
      .max(1000)
      .default(10)
      .describe('Backups into it at the same time, from all nodes; the others wait for their turn.'),
    maxConcurrentBackupsPerNamespace: z
      .int()
      .min(1)
      .max(1000)
      .optional()
      .describe('The same for each namespace; no limit of its own when left out.'),
    bandwidthLimit: z
      .string()
      .min(1)
      .max(16)
      .meta(
        cel({
          rule: "self.matches('^[1-9][0-9]*([KMGT]i?)?$')",
          message: "bandwidthLimit is a number of bytes per second, for example '200Mi'",
        }),
      )
      .optional()
      .describe(
        'Bytes per second that the backups of one node together may read, in equal shares of what its agent runs at most; no limit when left out.',
      ),
    lowSpacePercent: z
      .int()
      .min(0)
      .max(90)
      .default(10)
      .describe(
        'The condition LowSpace is True while less than this share of the capacity is free; 0 = never.',
      ),
    restoreGrants: z
      .array(RestoreGrant)
      .max(256)
      .meta(listAtomic)
      .optional()
      .describe(
        'Which backups may be restored into another namespace than their own, or from another cluster.',
      ),
    scrubEvery: ScrubEvery,
    catalogue: CatalogueSpec.optional().describe(
      'How the backups in the repository and the VMBackups in the cluster are compared.',
    ),
  })
  .meta(
    cel(
      {
        rule: '[has(self.nfs), has(self.cifs), has(self.cephfs), has(self.local)].filter(x, x).size() == 1',
        message: 'say where the repository is: set exactly one of nfs, cifs, cephfs and local',
      },
      {
        rule: 'has(self.nfs) == has(oldSelf.nfs) && (!has(self.nfs) || (self.nfs.server == oldSelf.nfs.server && self.nfs.path == oldSelf.nfs.path)) && (!has(self.local) || self.local.path == oldSelf.local.path) && has(self.local) == has(oldSelf.local) && has(self.cifs) == has(oldSelf.cifs) && (!has(self.cifs) || (self.cifs.server == oldSelf.cifs.server && self.cifs.share == oldSelf.cifs.share && has(self.cifs.path) == has(oldSelf.cifs.path) && (!has(self.cifs.path) || self.cifs.path == oldSelf.cifs.path))) && (!has(self.cephfs) || self.cephfs.path == oldSelf.cephfs.path)',
        message:
          'a repository does not move: chains would lose their parents. Create another VMBackupRepository for the new place',
      },
    ),
  );
export type VMBackupRepositorySpec = z.infer<typeof VMBackupRepositorySpec>;

export const VMBackupRepositoryStatus = z.object({
  observedGeneration: z.int().optional().describe('The generation that the controller has seen.'),
  conditions: Conditions.optional(),
  capacityBytes: Bytes.optional().describe('Size of the file system.'),
  freeBytes: Bytes.optional().describe('Free space.'),
  free: z.string().max(32).optional().describe('Free space, for people.'),
  readyNodes: z.int().min(0).optional().describe('Nodes whose agent could write to it at the last look.'),
  nodes: z.int().min(0).optional().describe('Nodes whose agent looked at it.'),
  runningBackups: z.int().min(0).optional().describe('Backups into it that are under way.'),
  waitingBackups: z
    .int()
    .min(0)
    .optional()
    .describe('Backups into it that wait, for their turn or for something else.'),
  catalogue: CatalogueStatus.optional().describe(
    'What is in the repository, against what is in the cluster.',
  ),
  scrub: ScrubStatus.optional().describe('How far the verification of all data is, and what it found.'),
  upkeep: UpkeepStatus.optional().describe('The Jobs that look after the repository.'),
});
export type VMBackupRepositoryStatus = z.infer<typeof VMBackupRepositoryStatus>;

/** Where backups live. Cluster-scoped: it belongs to the administrator. */
export const VMBackupRepository = z.object({
  apiVersion: z.literal(API_VERSION).optional(),
  kind: z.literal('VMBackupRepository').optional(),
  metadata: ObjectMeta,
  spec: VMBackupRepositorySpec.describe('Where it is, and who may use it.'),
  status: VMBackupRepositoryStatus.optional().describe('How the agents find it.'),
});
export type VMBackupRepository = z.infer<typeof VMBackupRepository>;

export const vmBackupRepositories = kindOf(
  { apiVersion: API_VERSION, kind: 'VMBackupRepository', plural: 'vmbackuprepositories', namespaced: false },
  VMBackupRepository,
);
