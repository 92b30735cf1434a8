import { LibvirtError, readRefusal } from '../../../src/node-agent/libvirt/errors.ts';
import { parseCheckpoint } from '../../../src/node-agent/libvirt/checkpoint.ts';
import type { Virsh } from '../../../src/node-agent/libvirt/virsh.ts';

/** One bitmap as QEMU has it. */
export type FakeBitmap = 'good' | 'inconsistent';

/**
 * libvirt and QEMU as far as checkpoints and backup jobs go, with the texts and the traps that the real ones showed
 * (test/qemu/libvirt.test.ts runs the same rules on those). State is open to tests.
 */
export class FakeLibvirt {
  /** Checkpoint name → the targets it tracks. */
  readonly checkpoints = new Map<string, readonly string[]>();
  /** Target → bitmap name → state. A target that is not here is no disk of the domain. */
  readonly bitmaps: Map<string, Map<string, FakeBitmap>>;
  /** The running job's XML; a string that is no backup stands for another kind of job. */
  job: string | undefined;
  /** What each disk has allocated, and what of it has changed. */
  dataBytes = 1024;
  /** As `domstate --reason` tells it. */
  state = 'running (booted)';
  readonly calls: (readonly string[])[] = [];
  /** Called before each command; may throw, as a process that dies. */
  before: (args: readonly string[]) => void = () => {};

  constructor(targets: readonly string[]) {
    this.bitmaps = new Map(targets.map((target) => [target, new Map()]));
  }

  readonly virsh: Virsh = async (args, { files = [] } = {}) => {
    this.before(args);
    this.calls.push(args);
    const [command = ''] = args;
    switch (command) {
      case 'checkpoint-dumpxml':
        return this.#dumpCheckpoint(args[2] ?? '', args.includes('--size'));
      case 'domblkinfo':
        return `Capacity:       4096\nAllocation:     ${this.dataBytes}\nPhysical:       4096\n`;
      case 'checkpoint-create':
        return this.#redefine(files[0] ?? '', args.includes('--redefine-validate'));
      case 'checkpoint-delete':
        return this.#delete(args[2] ?? '', args.includes('--metadata'));
      case 'qemu-monitor-command':
        return this.#blockNodes();
      case 'backup-dumpxml':
        return this.job?.startsWith('<domainbackup') ? this.job : refuse('no domain backup job present');
      case 'domjobinfo':
        return this.job === undefined ? 'Job type: 0\n' : 'Job type: 2\noperation: 9\n';
      case 'domjobabort':
        if (this.job === undefined) return refuse('no job is active on the domain');
        this.job = undefined;
        return '';
      case 'backup-begin':
        if (this.job !== undefined) return refuse('cannot acquire state change lock');
        this.job = files[0] ?? '';
        if (files[1] !== undefined) this.#track(files[1]);
        return 'Backup started\n';
      case 'domstate':
        return `${this.state}\n`;
      case 'resume':
        this.state = 'running (unpaused)';
        return '';
      case 'dumpxml':
        return this.#domain();
      default:
        throw new Error(`the fake libvirt knows no ${command}`);
    }
  };

  /** Everything there is of a checkpoint: `libvirt` if it is known, and the targets that bear its bitmap. */
  traces(name: string): readonly string[] {
    const bearing = [...this.bitmaps].filter(([, bitmaps]) => bitmaps.has(name)).map(([target]) => target);
    return this.checkpoints.has(name) ? ['libvirt', ...bearing] : bearing;
  }

  /** What `backup-begin` does with a checkpoint's XML. */
  #track(xml: string): void {
    const { name, targets } = parseCheckpoint(
      xml.replace('<disks>', '<creationTime>7</creationTime><disks>'),
    );
    this.checkpoints.set(name, targets);
    for (const target of targets) this.bitmaps.get(target)?.set(name, 'good');
  }

  #domain(): string {
    const disks = [...this.bitmaps.keys()].map(
      (target, index) =>
        `<disk type='file' device='disk'><driver type='qcow2'/><source file='/${target}' index='${index + 1}'/><target dev='${target}'/><alias name='ua-${target}'/></disk>`,
    );
    return `<domain><name>shop_db</name><uuid>u</uuid><devices>${disks.join('')}</devices></domain>`;
  }

  #dumpCheckpoint(name: string, withSize: boolean): string {
    const targets = this.checkpoints.get(name);
    if (targets === undefined) return refuse(`no domain checkpoint with matching name '${name}'`);
    const size = withSize ? ` size='${this.dataBytes}'` : '';
    const disks = targets.map((target) => `<disk name='${target}' checkpoint='bitmap'${size}/>`).join('');
    return `<domaincheckpoint><name>${name}</name><creationTime>7</creationTime><disks>${disks}</disks></domaincheckpoint>`;
  }

  #redefine(xml: string, validate: boolean): string {
    const { name, targets } = parseCheckpoint(xml);
    // A target that the domain does not have passes.
    const broken = targets.find(
      (target) => this.bitmaps.has(target) && this.#bitmap(target, name) !== 'good',
    );
    if (validate && broken !== undefined) {
      return refuse(`checkpoint inconsistent: missing or broken bitmap '${name}' for disk '${broken}'`);
    }
    this.checkpoints.set(name, targets);
    return '';
  }

  #delete(name: string, metadataOnly: boolean): string {
    const targets = this.checkpoints.get(name);
    if (targets === undefined) return refuse(`no domain checkpoint with matching name '${name}'`);
    const present = targets.filter((target) => this.bitmaps.has(target));
    const lost = present.find((target) => this.#bitmap(target, name) === undefined);
    if (!metadataOnly && lost !== undefined) {
      return refuse(`internal error: bitmap '${name}' not found in backing chain of '${lost}'`);
    }
    if (!metadataOnly) for (const target of present) this.bitmaps.get(target)?.delete(name);
    this.checkpoints.delete(name);
    return '';
  }

  #blockNodes(): string {
    const nodes = [...this.bitmaps.values()].map((bitmaps, index) => ({
      'node-name': `libvirt-${index + 1}-format`,
      'dirty-bitmaps': [...bitmaps.keys()].map((name) => ({ name })),
    }));
    return JSON.stringify({ return: nodes });
  }

  #bitmap(target: string, name: string): FakeBitmap | undefined {
    return this.bitmaps.get(target)?.get(name);
  }
}

export function refuse(text: string): never {
  throw new LibvirtError(text, readRefusal(`error: ${text}`));
}
