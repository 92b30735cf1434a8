import { z } from 'zod';
import { InspectResult } from '../mover-report.ts';

const Volume = z.looseObject({
  name: z.string(),
  persistentVolumeClaim: z.looseObject({ claimName: z.string() }).optional(),
  dataVolume: z.looseObject({ name: z.string() }).optional(),
});
export type StoredVolume = z.infer<typeof Volume>;

/** The VM as it was backed up; every field passes, and those that a restore looks at are checked. */
export const StoredVm = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    uid: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.looseObject({
    runStrategy: z.string().optional(),
    running: z.boolean().optional(),
    instancetype: z.looseObject({ revisionName: z.string().optional() }).optional(),
    preference: z.looseObject({ revisionName: z.string().optional() }).optional(),
    dataVolumeTemplates: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) })).optional(),
    template: z.looseObject({
      spec: z.looseObject({
        domain: z
          .looseObject({
            firmware: z
              .looseObject({
                bootloader: z
                  .looseObject({ efi: z.looseObject({ persistent: z.boolean().optional() }).optional() })
                  .optional(),
              })
              .optional(),
            devices: z
              .looseObject({
                disks: z.array(z.looseObject({ name: z.string() })).optional(),
                filesystems: z.array(z.looseObject({ name: z.string() })).optional(),
                interfaces: z.array(z.looseObject({ name: z.string() })).optional(),
                tpm: z.looseObject({ persistent: z.boolean().optional() }).optional(),
              })
              .optional(),
          })
          .optional(),
        volumes: z.array(Volume).optional(),
      }),
    }),
  }),
});
export type StoredVm = z.infer<typeof StoredVm>;

const StoredClaim = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    volumeMode: z.string().optional(),
    accessModes: z.array(z.string()).optional(),
    storageClassName: z.string().optional(),
    resources: z
      .looseObject({ requests: z.looseObject({ storage: z.string().optional() }).optional() })
      .optional(),
  }),
  status: z
    .looseObject({ capacity: z.looseObject({ storage: z.string().optional() }).optional() })
    .optional(),
});
export type StoredClaim = z.infer<typeof StoredClaim>;

/** What the guest and the network knew the VM by while it ran: KubeVirt makes up what the VM does not say. */
const Identity = z.object({
  firmware: z.object({ uuid: z.string().optional(), serial: z.string().optional() }).optional(),
  macAddresses: z.record(z.string(), z.string()).optional(),
});

const Stored = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });

const StoredRevision = z.looseObject({
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).optional() }),
  data: z.unknown(),
  revision: z.number().optional(),
});
export type StoredRevision = z.infer<typeof StoredRevision>;

export const Definitions = z.object({
  virtualMachine: StoredVm,
  persistentVolumeClaims: z.array(StoredClaim).default([]),
  identity: Identity.optional(),
  dataVolumes: z.array(Stored).optional(),
  instancetype: Stored.optional(),
  preference: Stored.optional(),
  controllerRevisions: z.array(StoredRevision).optional(),
  /** Names only: what is in them is not stored. */
  uses: z
    .object({
      secrets: z.array(z.string()),
      configMaps: z.array(z.string()),
      /** Kept by KubeVirt on a claim of its own: not in the backup. */
      persistentState: z.object({ tpm: z.boolean(), efi: z.boolean() }),
    })
    .optional(),
});
export type Definitions = z.infer<typeof Definitions>;

/** What the mover tells of a backup before anything is restored: `tidemark-mover inspect DIR --definitions --json`. */
export const Inspection = InspectResult.extend({ definitions: Definitions });
export type Inspection = z.infer<typeof Inspection>;
