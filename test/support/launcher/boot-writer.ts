import { open, rm, writeFile } from 'node:fs/promises';
import { run } from './command.ts';
import type { Disk } from './disks.ts';
import { MiB } from './units.ts';

/**
 * A guest that writes by itself: a boot sector whose loop writes 127 sectors of a rising 32-bit counter through the
 * BIOS at each timer tick (about 1 MiB a second, a fifth of a core), from 1 MiB on, and wraps at the end of its
 * region. Unlike `guest()` it goes through the virtual device, so error policies apply: a failed write pauses the VM.
 *
 *       cli; xor ax,ax; mov ds,ax; mov ss,ax; mov sp,7c00; sti; mov [drive],dl
 *     again:
 *       mov ax,2000; mov es,ax; xor di,di; mov eax,[count]; mov cx,3f80; cld; rep stosd     fill the buffer
 *       mov dl,[drive]; mov ah,43; xor al,al; mov si,packet; int 13                        write it
 *       inc dword [count]; add dword [lba],128
 *       cmp dword [lba],END; jb 1f; mov dword [lba],2048                                    END: see endOffset
 *     1: mov eax,[46c]
 *     2: hlt; cmp [46c],eax; je 2b; jmp again                                               wait for a tick
 *     drive: 80   count: 1   packet: 10,0, 127 sectors, 2000:0000, lba 2048
 */
const machineCode = Buffer.from(
  'fa31c08ed88ed0bc007cfb88165e7cb800208ec031ff66a15f7cb9803ffc66f3' +
    'ab8a165e7cb44330c0be637ccd1366ff065f7c6681066b7c8000000066813e6b' +
    '7c00180000720966c7066b7c0008000066a16c04f46639066c0474f8ebb18001' +
    '00000010007f00000000200008',
  'hex',
);
const endOffset = 65;

/**
 * Puts that guest on a disk, which must be the VM's first. The VM must be off, and the disk not backed up yet: this
 * write goes past every bitmap.
 *
 * @param length of the region written to, bytes from 1 MiB on; a multiple of 64 KiB. Default 4 MiB.
 */
export async function installBootWriter(disk: Disk, length = 4 * MiB): Promise<void> {
  const sector = Buffer.alloc(512);
  machineCode.copy(sector);
  sector.writeUInt32LE((MiB + length) / 512, endOffset);
  sector.writeUInt16LE(0xaa55, 510);
  if (disk.kind !== 'qcow2') {
    await using image = await open(disk.image, 'r+');
    await image.write(sector, 0, sector.length, 0);
    return;
  }
  const file = `${disk.image}.boot`;
  await writeFile(file, sector);
  try {
    await run(['qemu-io', '-f', 'qcow2', '-c', `write -s ${file} 0 512`, disk.image]);
  } finally {
    await rm(file);
  }
}
