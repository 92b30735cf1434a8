import { persistentStateOf } from './definitions/identity.ts';
import { volumesOf, type World } from './world.ts';

/** What a VM keeps beyond its claims: a backup of it does not hold that, and whoever relies on the backup must know in time. */
export function leftOutOf(world: Pick<World, 'vm' | 'vmi'>): readonly string[] {
  const { tpm, efi } = persistentStateOf(world.vm, world.vmi);
  return [
    ...(tpm
      ? ['the persistent TPM: a guest whose disks are locked to it will ask for its recovery key']
      : []),
    ...(efi ? ['the persistent EFI variables'] : []),
    ...volumesOf(world).flatMap(({ name, hostDisk }) =>
      hostDisk === undefined ? [] : [`volume ${name}: a disk of the node, on no claim`],
    ),
  ];
}
