import type { RestorePlan, VMRestore } from '../../crds/vmrestore.ts';
import { claimNameOf } from '../volumes.ts';
import type { Definitions, StoredVm, StoredVolume } from './inspection.ts';
import { RESTORED_AT_ANNOTATION, restoreLabels, revisionName } from './names.ts';
import { onClaim } from './on-claim.ts';
import { REVISED, storedRevision } from './revisions.ts';

type Json = Readonly<Record<string, unknown>>;
type Domain = NonNullable<StoredVm['spec']['template']['spec']['domain']>;

/** Annotations that tell of the object that was, and not of the one to be. */
const STALE_ANNOTATION =
  /^(kubectl\.kubernetes\.io\/last-applied-configuration|kubevirt\.io\/|restore\.kubevirt\.io\/|kubemacpool\.io\/)/;

/**
 * The VirtualMachine that a restore makes, from the one that was backed up. Its restored volumes stand on the new claims;
 * dataVolumeTemplates go, because KubeVirt would import them anew over the restored disks; volumes that are not restored go
 * with their disks, because they would share the original's claims.
 * @param now RFC 3339
 */
export function newVm(
  restore: VMRestore,
  plan: RestorePlan,
  definitions: Definitions,
  now: string,
): { readonly metadata: { readonly name: string } & Json; readonly spec: Json } {
  const { virtualMachine, identity } = definitions;
  const { metadata, spec } = virtualMachine;
  const keeps = restore.spec.target.newVM?.identity === 'Keep';
  const { running: _running, dataVolumeTemplates: _templates, template, ...rest } = spec;
  const volumes = volumesOf(template.spec.volumes ?? [], plan);
  const names = new Set(volumes.map(({ name }) => name));
  // KubeVirt's own, for backups that run: they stand on claims of the original.
  const { utilityVolumes: _utility, ...templateSpec } = template.spec;
  return {
    metadata: {
      name: plan.vmName ?? metadata.name,
      namespace: restore.metadata.namespace,
      labels: { ...metadata.labels, ...restoreLabels(restore) },
      annotations: {
        ...Object.fromEntries(
          Object.entries(metadata.annotations ?? {}).filter(([key]) => !STALE_ANNOTATION.test(key)),
        ),
        [RESTORED_AT_ANNOTATION]: now,
      },
    },
    spec: {
      ...rest,
      ...Object.fromEntries(
        REVISED.flatMap((what) => {
          const used = rest[what];
          if (used === undefined) return [];
          const { revisionName: _of, ...reference } = used;
          const isStored = storedRevision(definitions, what) !== undefined;
          return [[what, { ...reference, ...(isStored && { revisionName: revisionName(restore, what) }) }]];
        }),
      ),
      runStrategy: plan.runStrategy,
      template: {
        ...template,
        spec: {
          ...templateSpec,
          domain: domainOf(template.spec.domain ?? {}, names, keeps ? identity : 'New'),
          volumes,
        },
      },
    },
  };
}

/** Restored volumes on their new claims, and those that hold no data of their own (cloud-init, container disks). */
function volumesOf(volumes: readonly StoredVolume[], plan: RestorePlan): readonly StoredVolume[] {
  return volumes.flatMap((volume) => {
    // A dump of the memory of before is a claim of the original's.
    if ('memoryDump' in volume) return [];
    if (claimNameOf(volume) === undefined) return [volume];
    const claim = plan.claims.find((it) => it.volume === volume.name);
    return claim === undefined ? [] : [onClaim(volume, claim.claimName)];
  });
}

function domainOf(
  domain: Domain,
  volumes: ReadonlySet<string>,
  identity: Definitions['identity'] | 'New',
): Json {
  const { firmware, devices, ...rest } = domain;
  const { uuid: _uuid, serial: _serial, ...otherFirmware } = firmware ?? {};
  const own = identity === 'New' ? otherFirmware : { ...firmware, ...identity?.firmware };
  return {
    ...rest,
    ...(Object.keys(own).length > 0 && { firmware: own }),
    devices: {
      ...devices,
      ...(devices?.disks && { disks: devices.disks.filter(({ name }) => volumes.has(name)) }),
      ...(devices?.filesystems && {
        filesystems: devices.filesystems.filter(({ name }) => volumes.has(name)),
      }),
      ...(devices?.interfaces && { interfaces: devices.interfaces.map((it) => interfaceOf(it, identity)) }),
    },
  };
}

function interfaceOf(
  { macAddress, ...nic }: Json & { readonly name: string },
  identity: Definitions['identity'] | 'New',
): Json {
  if (identity === 'New') return nic;
  const kept = identity?.macAddresses?.[nic.name] ?? macAddress;
  return { ...nic, ...(kept !== undefined && { macAddress: kept }) };
}
