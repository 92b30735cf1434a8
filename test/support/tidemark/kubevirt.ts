import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import type { Launcher, StandInVm } from '../launcher/index.ts';
import {
  launcherPod,
  launcherPodStatus,
  persistentVolumeClaims,
  persistentVolumes,
  virtualMachine,
  virtualMachineInstance,
  virtualMachineInstanceStatus,
  virtualMachineStatus,
} from '../launcher/kubevirt-objects.ts';

const Created = z.object({ metadata: z.object({ name: z.string(), uid: z.string() }) });

/** A live migration that has begun. */
export interface Migration {
  /** The pod that it leads to. */
  readonly target: Launcher;
  /** QEMU moves there, and the pod that it left goes away. */
  finish(): Promise<void>;
  /** The target goes away, and the VM stays where it is. */
  fail(): Promise<void>;
}

/** Plays KubeVirt's part in the API server for stand-in VMs: the objects come and go as the VMs do. */
export class KubeVirt {
  readonly #cluster: ControlPlane;

  constructor(cluster: ControlPlane) {
    this.#cluster = cluster;
  }

  /** Makes the VM and its claims known; it does not run yet. */
  async define(vm: StandInVm): Promise<void> {
    for (const object of [...persistentVolumes(vm), ...persistentVolumeClaims(vm), virtualMachine(vm)]) {
      await this.#create(object);
    }
    await this.#status('virtualmachine', vm, vm.name, virtualMachineStatus(vm, 'Stopped'));
  }

  /** How what KubeVirt makes for a VM names it. */
  async asOwner(vm: StandInVm): Promise<object> {
    const { name, uid } = (await this.#read('virtualmachine', vm, vm.name)).metadata;
    return { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name, uid, controller: true };
  }

  /** A new VMI, a new launcher pod, and QEMU in it. */
  async start(vm: StandInVm, nodeName: string): Promise<void> {
    const owner = await this.#read('virtualmachine', vm, vm.name);
    const instance = await this.#create(virtualMachineInstance(vm, owner.metadata.uid));
    const pod = await this.#create(launcherPod(vm, instance.metadata.uid, nodeName));
    await vm.start({ podUid: pod.metadata.uid });
    const since = new Date();
    const running = { podUid: pod.metadata.uid, nodeName, since };
    await this.#status('pod', vm, pod.metadata.name, launcherPodStatus(since));
    await this.#status('virtualmachineinstance', vm, vm.name, virtualMachineInstanceStatus(vm, running));
    await this.#status('virtualmachine', vm, vm.name, virtualMachineStatus(vm, 'Running'));
  }

  /** A clean stop. */
  async stop(vm: StandInVm): Promise<void> {
    await vm.shutdown();
    await this.#forget(vm);
  }

  async restart(vm: StandInVm, nodeName: string): Promise<void> {
    await this.stop(vm);
    await this.start(vm, nodeName);
  }

  /** A second launcher pod on another node, and the VMI tells that a migration there is under way. */
  async beginMigration(vm: StandInVm, targetNode: string): Promise<Migration> {
    const instance = await this.#read('virtualmachineinstance', vm, vm.name);
    const source = vm.launcher.podUid;
    const pod = await this.#create(launcherPod(vm, instance.metadata.uid, targetNode));
    const target = await vm.anotherLauncher({ podUid: pod.metadata.uid });
    await this.#status('pod', vm, pod.metadata.name, launcherPodStatus(new Date()));
    const { name: targetPod, uid: targetUid } = pod.metadata;
    // KubeVirt makes it anew for each migration; a merge patch keeps what it does not name.
    const notYet = { completed: null, failed: null, failureReason: null, endTimestamp: null };
    const migrationState = { ...notYet, targetNode, targetPod, startTimestamp: new Date().toISOString() };
    await this.tell(vm, { activePods: { [targetUid]: targetNode }, migrationState });
    const over = { completed: true, endTimestamp: new Date().toISOString() };
    return {
      target,
      finish: async () => {
        const left = await vm.migrateTo(target);
        const activePods = { [source]: null, [targetUid]: targetNode };
        await this.tell(vm, {
          nodeName: targetNode,
          evacuationNodeName: null,
          migrationState: over,
          activePods,
        });
        await left.end();
        await this.#deletePods(vm, `kubevirt.io/nodeName!=${targetNode}`);
      },
      fail: async () => {
        const failed = { ...over, failed: true, failureReason: 'the target went away' };
        await this.tell(vm, { migrationState: failed, activePods: { [targetUid]: null } });
        await target.end();
        await this.#deletePods(vm, `kubevirt.io/nodeName=${targetNode}`);
      },
    };
  }

  /** QEMU dies of SIGKILL, and KubeVirt starts the VM again in another pod. */
  async crash(vm: StandInVm, nodeName: string): Promise<void> {
    await vm.kill9();
    await this.#forget(vm);
    await vm.killLauncher();
    await this.start(vm, nodeName);
  }

  /** Makes the objects tell of the disks that the VM has now: what was added, and what is gone from the specs. */
  async disksChanged(vm: StandInVm): Promise<void> {
    for (const object of [...persistentVolumes(vm), ...persistentVolumeClaims(vm)]) {
      await this.#cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(object) });
    }
    const { spec } = virtualMachine(vm);
    await this.#spec('virtualmachine', vm, spec);
    if ((await vm.state()) !== 'no pod')
      await this.#spec('virtualmachineinstance', vm, virtualMachineInstance(vm, '').spec);
  }

  /** Makes the stopped VM anew under its name; its claims stay, unless they are to be made anew as well. */
  async remake(vm: StandInVm, what: 'vm' | 'claims'): Promise<void> {
    if (what === 'vm') {
      await this.#delete('virtualmachine.kubevirt.io', vm, vm.name);
      await this.#create(virtualMachine(vm));
      return;
    }
    for (const { claim } of vm.disks) {
      await this.#delete('pvc', vm, claim);
      await this.#cluster.kubectl(['delete', 'pv', `${vm.namespace}-${claim}`]);
    }
    await this.disksChanged(vm);
  }

  /** Writes into the status of the VMI, as KubeVirt's controllers do. */
  async tell(vm: StandInVm, status: object): Promise<void> {
    await this.#status('virtualmachineinstance', vm, vm.name, status);
  }

  async #forget(vm: StandInVm): Promise<void> {
    await this.#deletePods(vm);
    await this.#delete('virtualmachineinstance.kubevirt.io', vm, vm.name);
    await this.#status('virtualmachine', vm, vm.name, virtualMachineStatus(vm, 'Stopped'));
  }

  async #deletePods(vm: StandInVm, ...selectors: readonly string[]): Promise<void> {
    const selector = [`kubevirt.io/domain=${vm.name}`, ...selectors].join();
    const now = ['--force', '--grace-period=0'];
    await this.#cluster.kubectl(['-n', vm.namespace, 'delete', 'pod', '-l', selector, ...now]);
  }

  async #create(object: object): Promise<z.infer<typeof Created>> {
    const created = await this.#cluster.kubectl(['create', '-f', '-', '-o', 'json'], {
      stdin: JSON.stringify(object),
    });
    return Created.parse(JSON.parse(created));
  }

  async #read(kind: string, vm: StandInVm, name: string): Promise<z.infer<typeof Created>> {
    return Created.parse(
      JSON.parse(await this.#cluster.kubectl(['-n', vm.namespace, 'get', kind, name, '-o', 'json'])),
    );
  }

  async #delete(kind: string, vm: StandInVm, name: string): Promise<void> {
    await this.#cluster.kubectl(['-n', vm.namespace, 'delete', kind, name]);
  }

  async #spec(kind: string, vm: StandInVm, spec: object): Promise<void> {
    const patch = ['patch', kind, vm.name, '--type', 'merge', '-p', JSON.stringify({ spec })];
    await this.#cluster.kubectl(['-n', vm.namespace, ...patch]);
  }

  async #status(kind: string, vm: StandInVm, name: string, status: object): Promise<void> {
    const patch = [
      'patch',
      kind,
      name,
      '--subresource',
      'status',
      '--type',
      'merge',
      '-p',
      JSON.stringify({ status }),
    ];
    await this.#cluster.kubectl(['-n', vm.namespace, ...patch]);
  }
}

/** Calls until it gives something, and returns that. Fails after `seconds`, saying what it waited for. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  seconds = 60,
  everyMs = 200,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let failure: unknown;
  while (Date.now() < end) {
    try {
      const found = await look();
      if (found !== undefined) return found;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await sleep(everyMs);
  }
  throw new Error(`waited ${seconds} s in vain for: ${what}`, { cause: failure });
}
