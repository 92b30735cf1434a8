import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openAccess } from './access.ts';
import type { AdminApi } from './api.ts';
import { findBinaries } from './binaries.ts';
import type { Subject } from './certificates.ts';
import { apiServer, controllerManager, etcd } from './commands.ts';
import { ControlPlaneError } from './errors.ts';
import { type Kubectl, kubectlIn } from './kubectl.ts';
import { freePorts } from './ports.ts';
import type { ProcessName } from './process.ts';
import { Processes } from './processes.ts';
import type { TokenOptions } from './token.ts';
import { makeWorkplace, removeWorkplace } from './workplace.ts';

export interface ControlPlaneOptions {
  /**
   * Run kube-controller-manager too. Without it no default ServiceAccount is made, no owned object is collected, no
   * Job or DaemonSet makes pods, and a deleted namespace stays; a cluster is ready a second or two earlier.
   */
  readonly controllerManager?: boolean;
}

/** A Kubernetes cluster without nodes: etcd, the API server with RBAC and, if asked for, the controllers. */
export interface ControlPlane extends AsyncDisposable {
  /** For example `https://127.0.0.1:40123`. */
  readonly server: string;
  /** The CA's certificate, PEM. */
  readonly ca: string;
  /** The cluster's directory: certificates, data, logs, kubeconfigs. Gone after `stop`. */
  readonly dir: string;
  /** The administrator's kubeconfig (system:masters). */
  readonly kubeconfigPath: string;
  /** Runs kubectl, as the administrator unless told otherwise. */
  readonly kubectl: Kubectl;
  /**
   * What lies at a path of the API, as the administrator: for what is looked at again and again, where a process for each look would cost
   * more than all that is tested.
   *
   * @throws ControlPlaneError `RequestRefused`, with what the server said
   */
  readonly get: (path: string) => Promise<unknown>;
  /** Issues a client certificate to this user; returns the path of a kubeconfig with it. */
  kubeconfigFor(subject: Subject): Promise<string>;
  /**
   * Asks the TokenRequest API for a token of this account; returns the path of a kubeconfig with it.
   *
   * @throws ControlPlaneError `RequestRefused`, for example when there is no such account.
   */
  serviceAccountKubeconfig(namespace: string, name: string, options?: TokenOptions): Promise<string>;
  /** The processes that run now. */
  processes(): readonly { readonly name: ProcessName; readonly pid: number }[];
  /** What a process has printed so far. */
  logs(name: ProcessName): Promise<string>;
  /** Sends a signal (SIGKILL unless told otherwise); after SIGKILL the process is gone when this resolves. */
  kill(name: ProcessName, signal?: NodeJS.Signals): Promise<void>;
  /** Starts a process again on its old port and data, ending it first if need be; resolves when the API server is ready. */
  restart(name: ProcessName, signal?: AbortSignal): Promise<void>;
  /** Ends every process and removes the directory. Safe to call twice. */
  stop(): Promise<void>;
}

const attempts = 3;

/** What the controllers make first of all that a test could wait for. */
const defaultAccount = '/api/v1/namespaces/default/serviceaccounts/default';

/**
 * Starts a new, empty cluster on free loopback ports; any number may run side by side. `await using` stops it.
 * Should our process be killed, its processes die with us.
 *
 * @throws ControlPlaneError `BinariesMissing`, `ProcessExited` (with the end of the log) or `NotReady`.
 */
export async function startControlPlane(
  options: ControlPlaneOptions = {},
  signal?: AbortSignal,
): Promise<ControlPlane> {
  const binaries = await findBinaries();
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(binaries, options, signal);
    } catch (error) {
      if (attempt === attempts || !lostItsPort(error)) throw error;
    }
  }
}

async function startOnce(
  binaries: string,
  options: ControlPlaneOptions,
  signal?: AbortSignal,
): Promise<ControlPlane> {
  const dir = await makeWorkplace();
  const processes = new Processes();
  const stop = async (): Promise<void> => {
    await processes.endAll();
    await removeWorkplace(dir);
  };
  try {
    const ports = await freePorts();
    const server = `https://127.0.0.1:${ports.server}`;
    const access = await openAccess(dir, server);
    const place = {
      dir,
      binaries,
      ports,
      pki: access.pki,
      controllerManagerKubeconfig: access.controllerManager,
    };
    const { api } = access;

    await processes.start(etcd(place));
    await processes.start(apiServer(place));
    await processes.until('kube-apiserver', () => answers(api, '/readyz'), signal);
    if (options.controllerManager) {
      await processes.start(controllerManager(place));
      await processes.until('kube-controller-manager', () => answers(api, defaultAccount), signal);
    }

    return {
      server,
      ca: await readFile(access.pki.ca.certificate, 'utf8'),
      dir,
      kubeconfigPath: access.admin,
      kubectl: kubectlIn(binaries, dir, access.admin),
      get: async (path) => {
        const { status, text } = await api.call('GET', path);
        if (status === 200) return JSON.parse(text) as unknown;
        throw new ControlPlaneError('RequestRefused', `GET ${path} was refused with ${status}: ${text}`);
      },
      kubeconfigFor: async (subject) => await access.kubeconfigFor(subject),
      serviceAccountKubeconfig: async (...account) => await access.serviceAccountKubeconfig(...account),
      processes: () => processes.list(),
      logs: async (name) => await readFile(join(dir, `${name}.log`), 'utf8'),
      kill: async (name, signal = 'SIGKILL') => await processes.kill(name, signal),
      restart: async (name, signal) => {
        await processes.restart(name);
        await processes.until('kube-apiserver', () => answers(api, '/readyz'), signal);
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answers(api: AdminApi, path: string): Promise<boolean> {
  return (await api.call('GET', path)).status === 200;
}

/** Whether another process took a port between our finding it free and using it. */
function lostItsPort(error: unknown): boolean {
  return error instanceof ControlPlaneError && /address already in use/.test(error.message);
}
