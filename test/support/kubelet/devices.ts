import { stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseQuantity } from '../../../src/domain/quantity.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { run } from '../launcher/command.ts';
import type { Pod } from './kubelet.ts';

/** A block device of the host, by number, and the path at which a container sees it. */
export interface Device {
  readonly major: number;
  readonly minor: number;
  readonly to: string;
}

/** In a claim's directory: the file behind its device. */
export const DEVICE = 'device';

const Named = z.looseObject({
  name: z.string(),
  persistentVolumeClaim: z.object({ claimName: z.string() }).optional(),
});
const Volume = z.looseObject({ spec: z.looseObject({ hostPath: z.object({ path: z.string() }) }) });

/** Makes the file behind a claim of mode Block, as large as it asks for. */
export async function makeDevice(directory: string, storage: string): Promise<void> {
  const file = join(directory, DEVICE);
  await writeFile(file, '', { flag: 'a' });
  await truncate(file, parseQuantity(storage) ?? 0);
}

/** The loop devices of the pod's claims of mode Block. */
export async function bindDevices(cluster: ControlPlane, pod: Pod): Promise<readonly Device[]> {
  const devices: Device[] = [];
  for (const { name, devicePath } of pod.spec.containers[0]?.volumeDevices ?? []) {
    const { persistentVolumeClaim } = Named.parse(pod.spec.volumes.find((it) => it.name === name));
    const claim = ['pvc', persistentVolumeClaim?.claimName ?? '', '-o', 'jsonpath={.spec.volumeName}'];
    const volumeName = await cluster.kubectl(['-n', pod.metadata.namespace, 'get', ...claim]);
    const { spec } = Volume.parse(JSON.parse(await cluster.kubectl(['get', 'pv', volumeName, '-o', 'json'])));
    const { stdout } = await run(['losetup', '--find', '--show', join(spec.hostPath.path, DEVICE)]);
    const { rdev } = await stat(stdout.trim());
    devices.push({ major: Math.floor(rdev / 256), minor: rdev % 256, to: devicePath });
  }
  return devices;
}

/** Gives back all loop devices over files below a directory. */
export async function detachDevices(directory: string): Promise<void> {
  const { stdout } = await run(['losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  for (const line of stdout.trim().split('\n')) {
    const [name = '', file = ''] = line.split(/\s+/);
    if (file.startsWith(directory)) await run(['losetup', '--detach', name]);
  }
}
