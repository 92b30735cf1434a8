import { z } from 'zod';
import { parseXml } from './xml.ts';

/** A disk of a domain, as `dumpxml` tells it. */
export interface DomainDisk {
  /** KubeVirt's volume name: the disk's alias without `ua-`. Undefined when the alias is not a user's. */
  readonly volume: string | undefined;
  /** The name that libvirt's disk elements want: `vda`, `sda`. */
  readonly target: string;
  readonly device: 'disk' | 'cdrom' | 'floppy' | 'lun';
  /** The format of the top image: `qcow2`, `raw`, … */
  readonly format: string;
  /** True for KubeVirt's change-tracking overlay: qcow2 over a raw data file. */
  readonly dataStore: boolean;
  readonly readonly: boolean;
  /** Inside the launcher pod; undefined for an empty drive or a source that is no path. */
  readonly sourcePath: string | undefined;
  /** The alias itself, by which QEMU knows the device. */
  readonly alias: string | undefined;
  /** libvirt's number of the top image; its QEMU node is `libvirt-<index>-format`. Known while the domain runs. */
  readonly sourceIndex: number | undefined;
}

export interface DomainXml {
  readonly name: string;
  readonly uuid: string;
  readonly disks: readonly DomainDisk[];
}

const Source = z.object({
  '@file': z.string().optional(),
  '@dev': z.string().optional(),
  '@index': z.string().optional(),
  dataStore: z.unknown().optional(),
});

const Disk = z.object({
  '@device': z.enum(['disk', 'cdrom', 'floppy', 'lun']).default('disk'),
  driver: z.object({ '@type': z.string().default('raw') }).default({ '@type': 'raw' }),
  // An element without attributes and children is an empty string.
  source: z.union([Source, z.literal('').transform(() => ({}))]).default({}),
  target: z.object({ '@dev': z.string() }),
  alias: z.object({ '@name': z.string() }).optional(),
  readonly: z.unknown().optional(),
});

const Document = z.object({
  domain: z.object({
    name: z.string(),
    uuid: z.string(),
    devices: z
      .union([z.object({ disk: z.array(Disk).default([]) }), z.literal('').transform(() => ({ disk: [] }))])
      .default({ disk: [] }),
  }),
});

const userAlias = 'ua-';

/** Reads name, uuid and disks out of domain XML (https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms). */
export function parseDomain(xml: string): DomainXml {
  const { name, uuid, devices } = parseXml(Document, xml).domain;
  return { name, uuid, disks: devices.disk.map(toDisk) };
}

function toDisk(disk: z.infer<typeof Disk>): DomainDisk {
  const source: z.infer<typeof Source> = disk.source;
  const alias = disk.alias?.['@name'];
  const index = source['@index'];
  return {
    volume: alias?.startsWith(userAlias) === true ? alias.slice(userAlias.length) : undefined,
    target: disk.target['@dev'],
    device: disk['@device'],
    format: disk.driver['@type'],
    dataStore: source.dataStore !== undefined,
    readonly: disk.readonly !== undefined,
    sourcePath: source['@file'] ?? source['@dev'],
    alias,
    sourceIndex: index === undefined ? undefined : Number(index),
  };
}

/** True when a checkpoint can be made on the disk: QEMU stores bitmaps in qcow2 only, and libvirt wants it writable. */
export function trackable(disk: DomainDisk): boolean {
  return disk.device === 'disk' && disk.format === 'qcow2' && !disk.readonly && disk.sourcePath !== undefined;
}
