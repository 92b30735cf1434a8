import { z } from 'zod';
import { checkpointXml } from './backup-xml.ts';
import { isRefusal } from './errors.ts';
import type { Virsh } from './virsh.ts';
import { parseXml } from './xml.ts';

/** A checkpoint as libvirt knows it. Only its metadata: whether the bitmaps are there is another question. */
export interface Checkpoint {
  readonly name: string;
  /** Seconds since the epoch; undefined while libvirt is still in the middle of making it. */
  readonly creationTimeSeconds: number | undefined;
  /** The disks it tracks, such as `vda`. */
  readonly targets: readonly string[];
}

const Document = z.object({
  domaincheckpoint: z.object({
    name: z.string(),
    creationTime: z.coerce.number().int().optional(),
    disks: z
      .object({
        disk: z.array(
          z.object({
            '@name': z.string(),
            '@checkpoint': z.string().default('bitmap'),
            '@size': z.coerce.number().int().min(0).optional(),
          }),
        ),
      })
      .default({ disk: [] }),
  }),
});

/** Parses `checkpoint-dumpxml` (https://libvirt.org/formatcheckpoint.html). */
export function parseCheckpoint(xml: string): Checkpoint {
  const { name, creationTime, disks } = parseXml(Document, xml).domaincheckpoint;
  const targets = disks.disk.filter((disk) => disk['@checkpoint'] === 'bitmap').map((disk) => disk['@name']);
  return { name, creationTimeSeconds: creationTime, targets };
}

/**
 * How many bytes of each disk have changed since a checkpoint that libvirt knows, by target. libvirt asks QEMU's bitmaps for it:
 * exact to their granularity, and the guest notices nothing.
 */
export async function readChangedBytes(
  virsh: Virsh,
  domain: string,
  name: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const xml = await virsh(['checkpoint-dumpxml', domain, name, '--no-domain', '--size'], {}, signal);
  const { disks } = parseXml(Document, xml).domaincheckpoint;
  return new Map(
    disks.disk.flatMap((disk) => (disk['@size'] === undefined ? [] : [[disk['@name'], disk['@size']]])),
  );
}

/** The names of all checkpoints that libvirt knows: ours, KubeVirt's and anybody's. */
export async function listCheckpoints(
  virsh: Virsh,
  domain: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const text = await virsh(['checkpoint-list', domain, '--name'], {}, signal);
  return text.split('\n').filter((line) => line !== '');
}

/** One checkpoint, or undefined when libvirt knows none by this name, as after every restart of the VM. */
export async function readCheckpoint(
  virsh: Virsh,
  domain: string,
  name: string,
  signal?: AbortSignal,
): Promise<Checkpoint | undefined> {
  try {
    return parseCheckpoint(await virsh(['checkpoint-dumpxml', domain, name, '--no-domain'], {}, signal));
  } catch (error) {
    if (isRefusal(error, 'CheckpointNotFound')) return undefined;
    throw error;
  }
}

/**
 * Tells libvirt of a checkpoint, replacing what it knows by that name. It tracks the given targets and no others.
 *
 * With `validate`, libvirt first asks QEMU for each bitmap, by the same rule as it will for an incremental backup:
 * there, persistent, recording, consistent. Beware: a target that the domain does not have passes that test.
 *
 * @throws LibvirtError `CheckpointInconsistent` with `disk`: the first disk whose bitmap cannot be used.
 */
export async function redefineCheckpoint(
  virsh: Virsh,
  domain: string,
  checkpoint: Checkpoint & { readonly validate: boolean },
  signal?: AbortSignal,
): Promise<void> {
  const { name, creationTimeSeconds, targets, validate } = checkpoint;
  const disks = targets.map((target) => ({ target, tracked: true }));
  const flags = validate ? ['--redefine', '--redefine-validate'] : ['--redefine'];
  const files = [checkpointXml({ name, creationTimeSeconds, disks })];
  await virsh(['checkpoint-create', ...flags, domain], { files }, signal);
}

/**
 * Deletes a checkpoint that libvirt knows, with its bitmap on every disk it tracks; with `metadataOnly`, libvirt
 * forgets it and the bitmaps stay.
 *
 * @throws LibvirtError `CheckpointNotFound`; `BitmapMissing` when one disk has lost its bitmap: then none is deleted.
 */
export async function deleteCheckpoint(
  virsh: Virsh,
  domain: string,
  name: string,
  { metadataOnly = false }: { readonly metadataOnly?: boolean } = {},
  signal?: AbortSignal,
): Promise<void> {
  await virsh(['checkpoint-delete', domain, name, ...(metadataOnly ? ['--metadata'] : [])], {}, signal);
}
