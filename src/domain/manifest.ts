import { z } from 'zod';

/**
 * `manifest.json`: what one backup directory holds, enough to restore with no cluster at all. The on-disk format is told in
 * docs/format.md; whatever changes here without staying readable needs a new `formatVersion`.
 */

/** The version of the repository format this code writes, and the only one it reads. */
export const FORMAT_VERSION = 1;

/** Names below become file names: one path component, never hidden, never `..`. */
const FileName = z
  .string()
  .max(200)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
    'must begin with a letter or digit and hold only letters, digits, ".", "_" and "-"',
  );

/** A backup's directory name in the repository: time + uid8, so that it sorts by time. */
export const BackupId = FileName;
/** A volume's name as in the VM's specification; its image is `<name>.qcow2`. */
export const VolumeName = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/, 'must be a lower-case volume name such as "rootdisk"');

export const BackupType = z.enum(['Full', 'Incremental']);
export type BackupType = z.infer<typeof BackupType>;

const Text = z.string().max(4096);
const Bytes = z.int().nonnegative();
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What the caller knows about a backup and the mover only writes down. */
export const ManifestContext = z.object({
  backup: z.object({
    id: BackupId,
    name: Text,
    namespace: Text,
    uid: z.string().min(1).max(128),
    /** RFC 3339, the point in time the backup stands for. */
    createdAt: z.iso.datetime({ offset: true }),
  }),
  /** The cluster's id: the UID of its kube-system namespace. */
  cluster: Text,
  vm: z.object({ name: Text, namespace: Text, uid: Text }),
  chain: z.object({ id: Text, position: z.int().nonnegative() }),
  type: BackupType,
  /** Why this backup is full or incremental: PascalCase, and the same in words. */
  reason: Text,
  message: Text,
  /** The checkpoint and bitmap begun with this backup: the base of the next incremental. */
  bitmap: Text.nullable(),
  parent: z.object({ name: Text, id: BackupId }).nullable(),
  /** The VM, its claims and what else a restore needs, as the cluster had them. Never interpreted by the mover. */
  definitions: z.record(z.string(), z.unknown()).default({}),
});
export type ManifestContext = z.infer<typeof ManifestContext>;

/** The backup a volume's image stands on: always a sibling directory, proven by its uid and by the digest of its sums. */
export const ParentLink = z.object({
  id: BackupId,
  uid: z.string(),
  sumsSha256: Sha256,
  virtualSizeBytes: Bytes,
});
export type ParentLink = z.infer<typeof ParentLink>;

export const VolumeRecord = z.object({
  name: VolumeName,
  type: BackupType,
  reason: Text,
  /** The dirty bitmap this volume's changes were read from; null for a full. */
  bitmap: Text.nullable(),
  parent: ParentLink.nullable(),
  /** Size of the disk as the guest sees it, rounded up to 512 bytes. */
  virtualSizeBytes: Bytes,
  /** Guest bytes stored as data, and guest bytes stored as explicit zero records. */
  dataBytes: Bytes,
  zeroBytes: Bytes,
  image: z.object({
    file: FileName,
    format: z.literal('qcow2'),
    bytes: Bytes,
    clusterBytes: Bytes,
    compression: z.literal(['none', 'zstd']),
  }),
  sums: z.object({
    file: FileName,
    algorithm: z.literal('crc32'),
    blockBytes: Bytes,
    bytes: Bytes,
    sha256: Sha256,
  }),
});
export type VolumeRecord = z.infer<typeof VolumeRecord>;

/** A small file stored beside the images, such as `domain.xml`. */
export const FileRecord = z.object({ name: FileName, bytes: Bytes, sha256: Sha256 });
export type FileRecord = z.infer<typeof FileRecord>;

export const Manifest = ManifestContext.extend({
  formatVersion: z.literal(FORMAT_VERSION),
  completedAt: z.iso.datetime({ offset: true }),
  attempt: z.int().nonnegative(),
  volumes: z.array(VolumeRecord).min(1).max(1000),
  files: z.array(FileRecord).max(1000),
});
export type Manifest = z.infer<typeof Manifest>;

/** `tidemark.json` at the root of a repository. */
export const RepositoryMark = z.object({
  formatVersion: z.literal(FORMAT_VERSION),
  repositoryId: z.string().min(1).max(128),
});
export type RepositoryMark = z.infer<typeof RepositoryMark>;

/** Names the mover keeps for itself in a backup directory: no extra file may bear them. */
export function isReservedFileName(name: string): boolean {
  return name.startsWith('manifest.') || /\.(qcow2|sums)$/.test(name);
}

/** A file the caller wants stored beside the images. */
export const StoredFile = z.strictObject({
  name: FileName.refine((name) => !isReservedFileName(name), 'is a name the mover keeps for itself'),
  content: z.string().max(4 * 1024 * 1024),
});
export type StoredFile = z.infer<typeof StoredFile>;
