import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessName } from '../control-plane/process.ts';
import type { StandInVm } from '../launcher/index.ts';
import { type Installation, NODE } from './installation.ts';

/** How long a stopped process stands still, in milliseconds. */
const STOPPED_MS = 3000;

/** Something that goes wrong. It resolves when the world is whole again. */
export interface Fault {
  readonly name: string;
  /** Whether it strikes a part of one VM alone; the others strike, or need, what all VMs share, and are struck one at a time. */
  readonly isOfOneVm?: true;
  readonly strikes: (tidemark: Installation, vm: StandInVm) => Promise<void>;
}

/** Each process of a backup, killed and started again, or stopped for some seconds. */
export const faults: readonly Fault[] = [
  {
    name: 'SIGKILL of the controller',
    async strikes(tidemark) {
      await tidemark.controller.kill('SIGKILL');
      await tidemark.startController();
    },
  },
  { name: 'SIGSTOP of the controller', strikes: ({ controller }) => pause((name) => controller.kill(name)) },
  {
    name: 'SIGKILL of the agent',
    async strikes(tidemark) {
      await tidemark.agent.kill('SIGKILL');
      await tidemark.startAgent();
    },
  },
  { name: 'SIGSTOP of the agent', strikes: ({ agent }) => pause((name) => agent.kill(name)) },
  {
    name: 'SIGKILL of the mover',
    isOfOneVm: true,
    strikes: async (tidemark) => signal(await moversOf(tidemark), 'SIGKILL'),
  },
  {
    name: 'SIGSTOP of the mover',
    isOfOneVm: true,
    async strikes(tidemark) {
      const movers = await moversOf(tidemark);
      await pause(async (name) => signal(movers, name));
    },
  },
  { name: 'SIGKILL of libvirtd', isOfOneVm: true, strikes: (_, vm) => vm.killLibvirtd() },
  {
    name: 'SIGSTOP of libvirtd',
    isOfOneVm: true,
    async strikes(_, vm) {
      const daemons = (await vm.launcher.processes()).filter(({ name }) => name === 'virtqemud');
      const pids = daemons.map(({ pid }) => pid);
      await pause(async (name) => signal(pids, name));
    },
  },
  ...clusterFaults('the API server', 'kube-apiserver'),
  ...clusterFaults('etcd', 'etcd'),
];

/** What takes the guest along. */
export const guestFaults: readonly Fault[] = [
  { name: 'SIGKILL of QEMU', strikes: ({ kubevirt }, vm) => kubevirt.crash(vm, NODE) },
  { name: 'a clean stop and start', strikes: ({ kubevirt }, vm) => kubevirt.restart(vm, NODE) },
];

function clusterFaults(what: string, process: ProcessName): readonly Fault[] {
  return [
    { name: `SIGKILL of ${what}`, strikes: ({ cluster }) => cluster.restart(process) },
    {
      name: `SIGSTOP of ${what}`,
      strikes: ({ cluster }) => pause((name) => cluster.kill(process, name)),
    },
  ];
}

async function pause(send: (name: 'SIGSTOP' | 'SIGCONT') => Promise<void>): Promise<void> {
  await send('SIGSTOP');
  try {
    await sleep(STOPPED_MS);
  } finally {
    await send('SIGCONT');
  }
}

/** The movers of this installation that run now, but for those that the test itself started: there may be none. */
export async function moversOf({ programs }: Installation): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const of = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
      return { pid: Number(pid), line: await of('cmdline'), status: await of('status') };
    }),
  );
  return lines
    .filter(({ line }) => line.includes(`${programs}/mover.js`))
    .filter(({ status }) => !status.includes(`PPid:\t${process.pid}\n`))
    .map(({ pid }) => pid);
}

/** Signals processes; one that has ended meanwhile is fine. */
export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      // It may have ended meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
