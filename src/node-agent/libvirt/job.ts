import { z } from 'zod';
import { isRefusal, LibvirtError } from './errors.ts';
import type { Virsh } from './virsh.ts';
import { parseXml } from './xml.ts';

/** The one job that a domain can have, as `domjobinfo` tells it. Any job counts: a migration, KubeVirt's backup, ours. */
export interface JobInfo {
  readonly active: boolean;
  readonly operation: JobOperation;
  /** Bytes written to scratch files, zeros included: an upper bound of what they take on the file system. */
  readonly temporaryBytes: number;
  /** The most that `temporaryBytes` can become. */
  readonly temporaryTotalBytes: number;
  readonly elapsedMilliseconds: number;
}

/** virDomainJobOperation, in libvirt's order. */
const operations = [
  'unknown',
  'start',
  'save',
  'restore',
  'incoming migration',
  'outgoing migration',
  'snapshot',
  'snapshot revert',
  'dump',
  'backup',
  'snapshot delete',
] as const;
export type JobOperation = (typeof operations)[number];

/** The domain's job; `active: false` when there is none. Answers at once, even while another client waits for the lock. */
export async function readJobInfo(virsh: Virsh, domain: string, signal?: AbortSignal): Promise<JobInfo> {
  return parseJobInfo(await virsh(['domjobinfo', domain, '--rawstats'], {}, signal));
}

/** Parses `domjobinfo --rawstats`: `Job type: 2` (virDomainJobType) and a line `name: number` for each statistic. */
export function parseJobInfo(text: string): JobInfo {
  const lines = text.matchAll(/^([^:\n]+): *(\d+) *$/gm);
  const numbers = new Map([...lines].map(([, name = '', value]) => [name, Number(value)]));
  const type = numbers.get('Job type');
  if (type === undefined) {
    const message = `domjobinfo answered without a job type: "${text.slice(0, 60)}"`;
    throw new LibvirtError(message, { reason: 'UnexpectedAnswer' });
  }
  return {
    active: type === 1 || type === 2,
    operation: operations[numbers.get('operation') ?? 0] ?? 'unknown',
    temporaryBytes: numbers.get('disk_temp_used') ?? 0,
    temporaryTotalBytes: numbers.get('disk_temp_total') ?? 0,
    elapsedMilliseconds: numbers.get('time_elapsed') ?? 0,
  };
}

/** The backup job that runs now, whoever began it. */
export interface RunningBackup {
  /** The NBD socket as its owner wrote it; undefined for a push backup. Ours is known by it, and by nothing else. */
  readonly socket: string | undefined;
  /** The disks that it exports. */
  readonly disks: readonly RunningBackupDisk[];
}

export interface RunningBackupDisk {
  readonly target: string;
  readonly exportName: string | undefined;
  /** The checkpoint it stands on; undefined for a full copy. */
  readonly incremental: string | undefined;
}

const Document = z.object({
  domainbackup: z.object({
    server: z.object({ '@socket': z.string().optional() }).optional(),
    disks: z.object({
      disk: z.array(
        z.object({
          '@name': z.string(),
          '@backup': z.string().default('yes'),
          '@exportname': z.string().optional(),
          '@incremental': z.string().optional(),
        }),
      ),
    }),
  }),
});

/** Parses `backup-dumpxml` (https://libvirt.org/formatbackup.html). */
export function parseRunningBackup(xml: string): RunningBackup {
  const { server, disks } = parseXml(Document, xml).domainbackup;
  return {
    socket: server?.['@socket'],
    disks: disks.disk
      .filter((disk) => disk['@backup'] === 'yes')
      .map((disk) => ({
        target: disk['@name'],
        exportName: disk['@exportname'],
        incremental: disk['@incremental'],
      })),
  };
}

/** The backup job that runs on the domain, or undefined. */
export async function readRunningBackup(
  virsh: Virsh,
  domain: string,
  signal?: AbortSignal,
): Promise<RunningBackup | undefined> {
  try {
    return parseRunningBackup(await virsh(['backup-dumpxml', domain], {}, signal));
  } catch (error) {
    if (isRefusal(error, 'NoJob')) return undefined;
    throw error;
  }
}
