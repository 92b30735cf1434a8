import type { PersistentVolumeClaim } from '../../crds/core.ts';
import type { VirtualMachine } from '../../crds/kubevirt.ts';
import type { PlannedClaim, RestorePlan, VMRestore } from '../../crds/vmrestore.ts';
import { parseQuantity } from '../quantity.ts';
import { fitName } from '../short-hash.ts';
import { claimNameOf } from '../volumes.ts';
import { clip, type Why } from '../why.ts';
import type { Definitions, Inspection, StoredClaim } from './inspection.ts';
import { RESTORE_LABEL } from './names.ts';
import { REVISED, storedRevision } from './revisions.ts';
import type { RestoreSource } from './source.ts';

/** All that a plan is made from. */
export interface PlanQuestion {
  readonly restore: VMRestore;
  readonly source: RestoreSource;
  readonly inspection: Inspection;
  /** Claims of the namespace, by name. */
  readonly claims: ReadonlyMap<string, PersistentVolumeClaim>;
  /** The VM that the target names, if it is there. */
  readonly vm: VirtualMachine | undefined;
  /** The very VM that was backed up, if it is still there, in whatever namespace. */
  readonly original?: VirtualMachine | undefined;
}

type Refusal = (question: PlanQuestion) => Why | undefined;

/** Why nothing may be touched. First match wins: this list is the rule. */
const refusals: readonly Refusal[] = [
  volumeNotInBackup,
  dataNotWhole,
  persistentStateMissing,
  vmNameTaken,
  originalStillThere,
  vmToChangeMissing,
  backupOfAnotherVm,
  volumeNotInVm,
];

/** What a restore is going to do, all of it known before the first effect; or why it cannot. */
export function planRestore(question: PlanQuestion): RestorePlan | Why {
  for (const refusal of refusals) {
    const why = refusal(question);
    if (why !== undefined) return why;
  }
  const { restore, source, inspection } = question;
  const claims = chosenVolumes(question).map((volume) => plannedClaim(question, volume));
  const taken = claims.find(({ claimName }) => isTaken(question, claimName));
  if (taken !== undefined) {
    const message = `There is a PersistentVolumeClaim '${taken.claimName}' already, and it is not of this restore: delete it, or restore under another name.`;
    return { reason: 'ClaimExists', message };
  }
  const { newVM, inPlace } = restore.spec.target;
  const vmName = newVM?.name ?? inPlace?.vmName;
  const runStrategy = newVM?.runStrategy ?? runStrategyOf(question.vm);
  const leftOut = leftOutOf(question);
  return {
    repository: source.repository.metadata.name,
    path: source.path,
    ...(inspection.backup && { pointInTime: inspection.backup.createdAt }),
    ...(vmName !== undefined && { vmName }),
    ...(inPlace !== undefined && question.vm && { vmUid: question.vm.metadata.uid }),
    ...(vmName !== undefined && { runStrategy }),
    claims,
    ...(leftOut.length > 0 && { leftOut: [...leftOut] }),
  };
}

/** The volumes of the backup that are restored. */
function chosenVolumes({ restore, inspection }: PlanQuestion): Inspection['volumes'] {
  const wanted = restore.spec.volumes;
  return inspection.volumes.filter(({ name }) => wanted === undefined || wanted.includes(name));
}

function plannedClaim(question: PlanQuestion, volume: Inspection['volumes'][number]): PlannedClaim {
  const { restore, vm } = question;
  const stored = storedClaimOf(question, volume.name);
  const storageClassName = mappedClass(restore, stored?.spec.storageClassName);
  const today = vm?.spec.template.spec.volumes?.find(({ name }) => name === volume.name);
  const volumeMode = restore.spec.volumeMode ?? modeOf(stored);
  const replaces = restore.spec.target.inPlace && today && claimNameOf(today);
  return {
    volume: volume.name,
    claimName: claimNameFor(restore, volume.name),
    sizeBytes: volume.virtualSizeBytes,
    requestBytes: requestBytes(volume.virtualSizeBytes, stored, volumeMode),
    volumeMode,
    accessModes: [...(restore.spec.accessModes ?? stored?.spec.accessModes ?? ['ReadWriteOnce'])],
    ...(storageClassName !== undefined && { storageClassName }),
    ...(replaces !== undefined && { replaces }),
  };
}

/** In place, each restore makes claims of its own: those of today stay until a person removes them. */
function claimNameFor({ metadata, spec }: VMRestore, volume: string): string {
  const { newVM, inPlace, claims } = spec.target;
  if (newVM !== undefined) return fitName(`${newVM.name}-${volume}`, 63);
  if (inPlace !== undefined) return fitName(`${inPlace.vmName}-${volume}-${metadata.uid.slice(0, 8)}`, 63);
  return fitName(`${claims?.prefix ?? ''}${volume}`, 63);
}

function storedClaimOf({ inspection }: PlanQuestion, volume: string): StoredClaim | undefined {
  const { virtualMachine, persistentVolumeClaims } = inspection.definitions;
  const stored = virtualMachine.spec.template.spec.volumes?.find(({ name }) => name === volume);
  const claimName = stored && claimNameOf(stored);
  return persistentVolumeClaims.find(({ metadata }) => metadata.name === claimName);
}

function modeOf(claim: StoredClaim | undefined): PlannedClaim['volumeMode'] {
  return claim?.spec.volumeMode === 'Block' ? 'Block' : 'Filesystem';
}

/** As much as the disk had; where it had no file system, or nobody knows, no less than the disk and what one takes (CDI's default: 6 %). */
function requestBytes(
  diskBytes: number,
  claim: StoredClaim | undefined,
  volumeMode: PlannedClaim['volumeMode'],
): number {
  const asked = parseQuantity(claim?.spec.resources?.requests?.storage ?? '') ?? 0;
  const had = parseQuantity(claim?.status?.capacity?.storage ?? '') ?? 0;
  const known = Math.max(asked, had);
  const isEnough = known >= diskBytes && (volumeMode === 'Block' || modeOf(claim) === 'Filesystem');
  return isEnough ? known : Math.max(known, Math.ceil(diskBytes * 1.06));
}

function mappedClass({ spec }: VMRestore, before: string | undefined): string | undefined {
  const map = spec.storageClassMap ?? {};
  return (before === undefined ? undefined : map[before]) ?? map['*'] ?? before;
}

function isTaken({ restore, claims }: PlanQuestion, name: string): boolean {
  const there = claims.get(name);
  return there !== undefined && there.metadata.labels?.[RESTORE_LABEL] !== restore.metadata.uid;
}

function runStrategyOf(vm: VirtualMachine | undefined): RestorePlan['runStrategy'] {
  const strategy = vm?.spec.runStrategy;
  if (strategy !== undefined) return strategy;
  return vm?.spec.running === true ? 'Always' : 'Halted';
}

function leftOutOf(question: PlanQuestion): readonly string[] {
  const { restore, inspection } = question;
  const { virtualMachine } = inspection.definitions;
  const restored = new Set(chosenVolumes(question).map(({ name }) => name));
  const volumes = virtualMachine.spec.template.spec.volumes ?? [];
  const dropped = volumes.filter((volume) => claimNameOf(volume) !== undefined && !restored.has(volume.name));
  return [
    ...(restore.spec.target.newVM === undefined
      ? []
      : dropped.map(({ name }) => `volume ${name}: not restored, so the new VM does not have it`)),
    ...(restore.spec.target.newVM === undefined ? [] : revisionsLost(inspection.definitions)),
    ...(hasPersistentState(inspection.definitions) ? ['persistent TPM and EFI state: in no backup'] : []),
  ];
}

/** A backup taken before KubeVirt had noted what the VM took, or from before Tidemark kept it. */
function revisionsLost(definitions: Definitions): readonly string[] {
  const { spec } = definitions.virtualMachine;
  return REVISED.flatMap((what) =>
    spec[what] === undefined || storedRevision(definitions, what) !== undefined
      ? []
      : clip(
          `${what} ${String(spec[what]['name'])}: taken as it is today; what it was is not in the backup`,
          256,
        ),
  );
}

function volumeNotInBackup({ restore, inspection }: PlanQuestion): Why | undefined {
  const names = inspection.volumes.map(({ name }) => name);
  const unknown = restore.spec.volumes?.find((name) => !names.includes(name));
  if (unknown === undefined) return undefined;
  return {
    reason: 'VolumeNotInBackup',
    message: `The backup holds no volume '${unknown}', only ${names.join(', ')}.`,
  };
}

/** Of the volumes that are restored: a damaged one must not keep the others away. */
function dataNotWhole(question: PlanQuestion): Why | undefined {
  const bad = chosenVolumes(question).find(({ reason }) => reason !== null);
  if (bad === undefined) return undefined;
  const said = bad.message ?? 'its data is not whole';
  return {
    reason: (bad.reason ?? '').replace(/^Parent/, 'Backup'),
    message: clip(
      `Volume ${bad.name}: ${said}. Restore another backup, or the other volumes (spec.volumes).`,
    ),
  };
}

function persistentStateMissing({ restore, inspection }: PlanQuestion): Why | undefined {
  const { newVM } = restore.spec.target;
  if (newVM === undefined || restore.spec.withoutPersistentState) return undefined;
  if (!hasPersistentState(inspection.definitions)) return undefined;
  const message =
    'The VM had a persistent TPM or EFI variables, which are in no backup: a new VM begins with empty ones, and a guest whose disks are locked to its TPM will ask for its recovery key. Set withoutPersistentState: true to restore all the same.';
  return { reason: 'PersistentStateNotInBackup', message };
}

function vmNameTaken({ restore, vm }: PlanQuestion): Why | undefined {
  const { newVM } = restore.spec.target;
  if (newVM === undefined || vm === undefined || vm.metadata.labels?.[RESTORE_LABEL] === restore.metadata.uid)
    return undefined;
  const message = `There is a VirtualMachine '${newVM.name}' already: take another target.newVM.name, or restore it with target.inPlace.`;
  return { reason: 'VMExists', message };
}

/** Two that run with one MAC address and one firmware UUID: the network and the licences of neither work any more. */
function originalStillThere({ restore, original }: PlanQuestion): Why | undefined {
  const { newVM } = restore.spec.target;
  const starts =
    newVM?.identity === 'Keep' && newVM.runStrategy !== 'Halted' && newVM.runStrategy !== 'Manual';
  if (!starts || original === undefined) return undefined;
  const where = `${original.metadata.namespace ?? ''}/${original.metadata.name}`;
  const message = `VirtualMachine '${where}' is still there, and the new one would run beside it with its MAC addresses and firmware UUID: delete it first, or take identity: New, or runStrategy: Halted and start only one of them.`;
  return { reason: 'OriginalStillThere', message };
}

function vmToChangeMissing({ restore, vm }: PlanQuestion): Why | undefined {
  const { inPlace } = restore.spec.target;
  if (inPlace === undefined || vm !== undefined) return undefined;
  const message = `There is no VirtualMachine '${inPlace.vmName}' to restore in place: use target.newVM with identity: Keep.`;
  return { reason: 'VMNotFound', message };
}

/** Volumes of one name are in every VM: `root` of another one is not this one's. */
function backupOfAnotherVm({ restore, inspection }: PlanQuestion): Why | undefined {
  const { inPlace } = restore.spec.target;
  const backedUp = inspection.definitions.virtualMachine.metadata.name;
  if (inPlace === undefined || inPlace.vmName === backedUp) return undefined;
  const message = `The backup is of VirtualMachine '${backedUp}', not of '${inPlace.vmName}': restore it with target.newVM, or its disks with target.claims.`;
  return { reason: 'BackupOfAnotherVM', message };
}

/** Disks are matched by the volume's name, never by order or size. */
function volumeNotInVm(question: PlanQuestion): Why | undefined {
  const { restore, vm } = question;
  if (restore.spec.target.inPlace === undefined) return undefined;
  const there = new Set(vm?.spec.template.spec.volumes?.map(({ name }) => name));
  const missing = chosenVolumes(question).find(({ name }) => !there.has(name));
  if (missing === undefined) return undefined;
  const message = clip(
    `VirtualMachine '${vm?.metadata.name ?? ''}' has no volume '${missing.name}' any more: name the volumes to restore in spec.volumes, or restore to a new VM.`,
  );
  return { reason: 'VolumeNotInVM', message };
}

/** The VM may say so, or its preference: then only the instance that ran told of it. */
function hasPersistentState({ virtualMachine, uses }: Definitions): boolean {
  const domain = virtualMachine.spec.template.spec.domain;
  const tpm = domain?.devices?.tpm?.persistent ?? uses?.persistentState.tpm;
  const efi = domain?.firmware?.bootloader?.efi?.persistent ?? uses?.persistentState.efi;
  return tpm === true || efi === true;
}
