import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerOptions } from 'node:https';
import { join } from 'node:path';
import { z } from 'zod';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { CommandFailed, type StandInVm } from '../launcher/index.ts';
import type { Gate } from './gates.ts';
import { eventually } from './kubevirt.ts';

const GROUP = 'subresources.kubevirt.io';
const PATH = new RegExp(
  `^/apis/${GROUP}/v1/namespaces/([^/]+)/virtualmachineinstances/([^/]+)/(freeze|unfreeze)$`,
);
const FreezeBody = z.object({ unfreezeTimeout: z.string().regex(/^\d+s$/) });

/** KubeVirt's aggregated API as far as a backup uses it, behind the real aggregator of kube-apiserver. */
export interface Subresources extends AsyncDisposable {
  /** What was asked for and answered, in order: `freeze 200`, `thawed by timeout`. */
  readonly calls: readonly string[];
  /** Called before each call is carried out, and after that before the answer goes out. */
  pass: (place: Gate) => Promise<void>;
  /** Whether the VM was frozen, and not thawed since. */
  isFrozen(vm: StandInVm): boolean;
}

/** The guest's side of it. */
export interface Guests {
  freeze(vm: StandInVm): Promise<unknown>;
  thaw(vm: StandInVm): Promise<unknown>;
}

/** The guest agent, asked by libvirt. */
const agents: Guests = {
  freeze: (vm) => vm.virsh('domfsfreeze', vm.domain),
  thaw: (vm) => vm.virsh('domfsthaw', vm.domain),
};

/**
 * Serves `freeze` and `unfreeze` of the given VMs through libvirt's guest agent calls, and registers as an APIService. The answers
 * are those of KubeVirt 1.9: 200 with no body, 404 without an instance, and 500 with libvirt's code in the text for the rest.
 */
export async function serveSubresources(
  cluster: ControlPlane,
  vms: readonly StandInVm[],
  guests = agents,
): Promise<Subresources> {
  const calls: string[] = [];
  const timers = new Map<StandInVm, NodeJS.Timeout>();
  const hooks: Pick<Subresources, 'pass'> = { pass: async () => {} };

  const freeze = async (vm: StandInVm, body: string) => {
    const parsed = FreezeBody.safeParse(JSON.parse(body || '{}'));
    if (!parsed.success) return failure('server error. Unfreeze timeout in freeze request is not set');
    if (!timers.has(vm)) await guests.freeze(vm);
    clearTimeout(timers.get(vm));
    const ms = Number.parseInt(parsed.data.unfreezeTimeout, 10) * 1000;
    timers.set(
      vm,
      setTimeout(() => void thaw(vm).then(() => calls.push('thawed by timeout')), ms),
    );
    return { status: 200, body: '' };
  };
  const thaw = async (vm: StandInVm) => {
    clearTimeout(timers.get(vm));
    timers.delete(vm);
    await guests.thaw(vm);
    return { status: 200, body: '' };
  };
  const answer = async (path: string, body: string): Promise<Answer> => {
    if (!PATH.test(path)) return json(200, discovery);
    const [, namespace, name, verb] = PATH.exec(path) ?? [];
    const vm = vms.find((candidate) => candidate.namespace === namespace && candidate.name === name);
    if (vm === undefined)
      return json(404, status(404, 'NotFound', `virtualmachineinstance.kubevirt.io "${name}" not found`));
    const call = verb === 'freeze' ? 'freeze' : 'thaw';
    await hooks.pass(`${call}.before`);
    const answered = await (verb === 'freeze' ? freeze(vm, body) : thaw(vm)).catch((error: unknown) =>
      failure(
        `server error. command ${verb === 'freeze' ? 'Freeze' : 'Unfreeze'} failed: "${libvirtError(error)}"`,
      ),
    );
    await hooks.pass(`${call}.after`);
    calls.push(`${verb} ${answered.status}`);
    return answered;
  };

  const server = createServer(await credentials(cluster.dir), (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      void answer(new URL(request.url ?? '', 'https://virt-api').pathname, body).then((it) =>
        response.writeHead(it.status, { 'content-type': 'application/json' }).end(it.body),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await register(cluster, typeof address === 'object' && address !== null ? address.port : 0);
  return {
    calls,
    get pass() {
      return hooks.pass;
    },
    set pass(pass) {
      hooks.pass = pass;
    },
    isFrozen: (vm) => timers.has(vm),
    async [Symbol.asyncDispose]() {
      for (const timer of timers.values()) clearTimeout(timer);
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Only the aggregator may speak to it: it proves itself with the front proxy's certificate. */
async function credentials(dir: string): Promise<ServerOptions> {
  const read = (name: string) => readFile(join(dir, 'pki', name));
  return {
    cert: await read('server.crt'),
    key: await read('server.key'),
    ca: await read('front-proxy-ca.crt'),
    requestCert: true,
    rejectUnauthorized: true,
  };
}

async function register(cluster: ControlPlane, port: number): Promise<void> {
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubevirt' } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'virt-api', namespace: 'kubevirt' },
      // There is no kube-proxy here, and no pod that a selector could find.
      spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] },
    },
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `v1.${GROUP}` },
      spec: {
        group: GROUP,
        version: 'v1',
        groupPriorityMinimum: 1000,
        versionPriority: 15,
        insecureSkipTLSVerify: true,
        service: { name: 'virt-api', namespace: 'kubevirt', port },
      },
    },
  ];
  for (const object of objects)
    await cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(object) });
  await eventually('the aggregated API', async () => {
    const found = await cluster.kubectl(['get', '--raw', `/apis/${GROUP}/v1`]);
    return found.includes('virtualmachineinstances/freeze') ? true : undefined;
  });
}

const discovery = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: `${GROUP}/v1`,
  resources: ['freeze', 'unfreeze'].map((verb) => ({
    name: `virtualmachineinstances/${verb}`,
    namespaced: true,
    kind: '',
    singularName: '',
    verbs: ['update'],
  })),
};

function json(code: number, body: object): Answer {
  return { status: code, body: JSON.stringify(body) };
}

/** As virt-api wraps what virt-handler answered. */
function failure(message: string): Answer {
  const text = `Internal error occurred: unexpected return code 400 (400 Bad Request), message: ${message}`;
  return json(500, status(500, 'InternalError', text));
}

function status(code: number, reason: string, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason, message, code };
}

/** libvirt's error as its Go binding prints it. virsh gives the text alone; the codes are those seen on KubeVirt. */
function libvirtError(error: unknown): string {
  const text = error instanceof CommandFailed ? error.stderr : String(error);
  const message =
    text
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^error: /, '') ?? '';
  const code = /agent is not/.test(message) ? 86 : /not running/.test(message) ? 55 : 1;
  return `LibvirtError(Code=${code}, Domain=10, Message='${message}')`;
}
