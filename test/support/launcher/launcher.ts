import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { open, readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run } from './command.ts';
import { createPodTree, EMPTY_DIRS, emptyDir, type EmptyDirName, podDirectory } from './pod-tree.ts';
import { childrenOf, isAlive, type Process } from './processes.ts';
import { until } from './until.ts';

/** A directory of the node, mounted in the pod: what a PVC is. */
export interface VolumeMount {
  readonly directory: string;
  readonly at: string;
}

export interface LauncherOptions {
  /** Stands for /var/lib/kubelet/pods. */
  readonly podsDir: string;
  /** As the API server gave it. */
  readonly podUid?: string;
  readonly mounts?: readonly VolumeMount[];
  /** What the pod's processes print. */
  readonly logFile: string;
}

/** A running stand-in for a virt-launcher pod: libvirtd and whatever QEMU it runs, in namespaces of their own. */
export interface Launcher extends AsyncDisposable {
  readonly podUid: string;
  readonly podsDir: string;
  /** The pod's PID 1, as the node counts. `/proc/<initPid>/root` is the pod's root directory. */
  readonly initPid: number;
  /** The libvirt socket by a path short enough for any process on the node. */
  readonly shortSocket: string;
  /** The pod's /run/kubevirt/sockets, by a short path: a socket in it has room for 60 letters. */
  readonly shortSocketsDir: string;
  /** For `virsh -c`. */
  readonly libvirtUri: string;
  /** The node's side of an emptyDir volume. */
  emptyDir(name: EmptyDirName): string;
  /** Runs virsh on the node, returns what it prints. Throws CommandFailed with libvirt's error text. */
  virsh(...args: readonly string[]): Promise<string>;
  /** Many virsh commands over one connection: much faster than one at a time. Throws at any error of any line. */
  virshScript(lines: readonly string[]): Promise<string>;
  processes(): Promise<readonly Process[]>;
  /** Ends libvirtd; the pod's init starts another, as virt-launcher does. Returns when that one answers. */
  killLibvirtd(signal: NodeJS.Signals): Promise<void>;
  /** Ends the pod at once, as `kubectl delete pod --force` does: SIGKILL for QEMU; then its directory goes. */
  end(): Promise<void>;
}

const initScript = fileURLToPath(new URL('pod-init.sh', import.meta.url));

/** Starts a pod and waits until its libvirt answers. Needs root. Throws with the pod's log if it does not. */
export async function startLauncher(options: LauncherOptions): Promise<Launcher> {
  const podUid = options.podUid ?? randomUUID();
  await createPodTree(options.podsDir, podUid);
  const pod = await startPod(options, podUid);
  try {
    const launcher = launcherOf(options.podsDir, podUid, pod, await initOf(pod));
    await untilLibvirtAnswers(launcher, pod);
    return launcher;
  } catch (error) {
    await endPod(options.podsDir, podUid, pod);
    const log = await readFile(options.logFile, 'utf8');
    throw new Error(`the launcher pod ${podUid} did not come up:\n${log}`, { cause: error });
  }
}

/** The process that made the pod's namespaces: it ends after the pod's PID 1, and that after all others in the pod. */
interface Pod {
  readonly unshare: ChildProcess;
  readonly ended: Promise<unknown>;
}

async function startPod(options: LauncherOptions, podUid: string): Promise<Pod> {
  const emptyDirs = EMPTY_DIRS.map(({ name, at }) => [emptyDir(options.podsDir, podUid, name), at]);
  const mounts = (options.mounts ?? []).map(({ directory, at }) => [directory, at]);
  await using log = await open(options.logFile, 'a');
  // The chain of deaths: this process -> unshare (pdeathsig) -> PID 1 (kill-child) -> all of the pid namespace.
  const own = ['unshare', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--propagation=private'];
  const argv = ['--pdeathsig=KILL', ...own, '--mount-proc', 'sh', initScript, ...emptyDirs, ...mounts];
  const unshare = spawn('setpriv', argv.flat(), { stdio: ['ignore', log.fd, log.fd], detached: true });
  const ended = once(unshare, 'exit');
  await once(unshare, 'spawn');
  return { unshare, ended };
}

function hasEnded({ unshare }: Pod): boolean {
  return unshare.exitCode !== null || unshare.signalCode !== null;
}

async function initOf(pod: Pod): Promise<number> {
  while (!hasEnded(pod)) {
    const [init] = await childrenOf(pod.unshare.pid ?? 0);
    if (init) return init.pid;
    await sleep(10);
  }
  throw new Error('the namespaces could not be made');
}

function launcherOf(podsDir: string, podUid: string, pod: Pod, initPid: number): Launcher {
  const shortSocket = `/proc/${initPid}/root/run/libvirt/virtqemud-sock`;
  const libvirtUri = `qemu+unix:///session?socket=${shortSocket}`;
  const end = () => endPod(podsDir, podUid, pod);
  const launcher: Launcher = {
    podUid,
    podsDir,
    initPid,
    shortSocket,
    shortSocketsDir: `/proc/${initPid}/root/run/kubevirt/sockets`,
    libvirtUri,
    emptyDir: (name) => emptyDir(podsDir, podUid, name),
    virsh: async (...args) => (await run(['virsh', '-q', '-c', libvirtUri, ...args])).stdout,
    virshScript: async (lines) => virshScript(libvirtUri, lines),
    processes: () => childrenOf(initPid),
    async killLibvirtd(signal) {
      const old = (await childrenOf(initPid)).find(({ name }) => name === 'virtqemud');
      if (old) process.kill(old.pid, signal);
      if (old) await until(`libvirtd ${old.pid} has ended`, () => !isAlive(old.pid));
      await untilLibvirtAnswers(launcher, pod);
    },
    end,
    [Symbol.asyncDispose]: end,
  };
  return launcher;
}

async function virshScript(uri: string, lines: readonly string[]): Promise<string> {
  const outputs: string[] = [];
  // One argument of a command line has room for 128 KiB. (From standard input virsh keeps a history in $HOME.)
  for (let at = 0; at < lines.length; at += 200) {
    const script = lines.slice(at, at + 200).join(' ; ');
    const { stdout, stderr } = await run(['virsh', '-q', '-c', uri, script]);
    if (stderr.includes('error:')) throw new Error(`virsh script: ${stderr.trim()}`);
    outputs.push(stdout);
  }
  return outputs.join('');
}

async function untilLibvirtAnswers(launcher: Launcher, pod: Pod): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      await launcher.virsh('list', '--name');
      return;
    } catch (error) {
      if (hasEnded(pod) || performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

async function endPod(podsDir: string, podUid: string, pod: Pod): Promise<void> {
  const [init] = await childrenOf(pod.unshare.pid ?? 0);
  if (!hasEnded(pod)) {
    if (init) process.kill(init.pid, 'SIGKILL');
    else pod.unshare.kill('SIGKILL');
  }
  await pod.ended;
  await rm(podDirectory(podsDir, podUid), { recursive: true, force: true });
}
