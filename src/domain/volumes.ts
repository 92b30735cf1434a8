import type { Volume } from '../crds/kubevirt.ts';
import type { VMBackupSpec } from '../crds/vmbackup.ts';

/** A volume to be backed up. */
export interface ChosenVolume {
  readonly name: string;
  /** The PersistentVolumeClaim that it stands on; a DataVolume's has the name of the DataVolume. */
  readonly claimName: string;
  /** Undefined if no such claim was found. */
  readonly claim: { readonly name: string; readonly uid: string } | undefined;
}

interface Claim {
  readonly metadata: { readonly name: string; readonly uid: string };
}

/** The name of the claim behind a volume; undefined for one that holds no data of its own (cloud-init, container disk). */
export function claimNameOf(volume: Volume): string | undefined {
  return volume.persistentVolumeClaim?.claimName ?? volume.dataVolume?.name;
}

/** The volumes that a backup takes, in the order of the VM. */
export function chooseVolumes(
  volumes: readonly Volume[],
  choice: VMBackupSpec['volumes'],
  claims: readonly Claim[],
): readonly ChosenVolume[] {
  return volumes.flatMap((volume) => {
    const claimName = claimNameOf(volume);
    if (claimName === undefined || !isChosen(volume.name, choice)) return [];
    const found = claims.find(({ metadata }) => metadata.name === claimName);
    return [{ name: volume.name, claimName, claim: found && { name: claimName, uid: found.metadata.uid } }];
  });
}

/** The names under `volumes.include` that are no volumes with data in this VM. */
export function unknownVolumes(
  volumes: readonly Volume[],
  choice: VMBackupSpec['volumes'],
): readonly string[] {
  const known = new Set(
    volumes.filter((volume) => claimNameOf(volume) !== undefined).map(({ name }) => name),
  );
  return (choice?.include ?? []).filter((name) => !known.has(name));
}

function isChosen(name: string, choice: VMBackupSpec['volumes']): boolean {
  if (choice?.include !== undefined) return choice.include.includes(name);
  return !(choice?.exclude?.includes(name) ?? false);
}
