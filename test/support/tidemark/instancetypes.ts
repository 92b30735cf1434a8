import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { z } from 'zod';
import { revisionsOf } from '../../../src/domain/definitions/references.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import type { StandInVm } from '../launcher/index.ts';
import type { Installation } from './installation.ts';

const Review = z.object({
  request: z.object({
    uid: z.string(),
    namespace: z.string(),
    object: z
      .object({
        spec: z.object({ instancetype: z.unknown().optional(), preference: z.unknown().optional() }),
      })
      .loose(),
  }),
});

type Asked = z.infer<typeof Review>['request'];

/**
 * Looks at each VM that is made or changed as KubeVirt's webhook does: an instancetype or preference is found, while it asks, by the
 * revision in the VM's spec or status. There is none to be taken anew, because no instancetype is left in this cluster.
 */
export async function serveVmWebhook(cluster: ControlPlane): Promise<AsyncDisposable> {
  const pki = (name: string) => readFile(join(cluster.dir, 'pki', name));
  const refusal = async ({ namespace, object }: Asked): Promise<string | undefined> => {
    for (const what of ['instancetype', 'preference'] as const) {
      if (object.spec[what] === undefined) continue;
      const name = revisionsOf(object)[what];
      if (name === undefined) return `Failure to find ${what}: not found`;
      const find = ['-n', namespace, 'get', 'controllerrevision', name, '--ignore-not-found', '-o', 'name'];
      if ((await cluster.kubectl(find)) === '')
        return `Failure to find ${what}: controllerrevisions.apps "${name}" not found`;
    }
    return undefined;
  };
  const answer = async (body: string): Promise<string> => {
    const { request } = Review.parse(JSON.parse(body));
    const message = await refusal(request).catch(String);
    const status = message === undefined ? {} : { status: { message, code: 422, reason: 'Invalid' } };
    const response = { uid: request.uid, allowed: message === undefined, ...status };
    return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response });
  };
  const credentials = { cert: await pki('server.crt'), key: await pki('server.key') };
  const server = createServer(credentials, (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      void answer(body).then((text) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(text),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const webhook = {
    name: 'virtualmachine-validator.kubevirt.io',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    clientConfig: {
      url: `https://127.0.0.1:${port}/`,
      caBundle: (await pki('ca.crt')).toString('base64'),
    },
    rules: [
      {
        apiGroups: ['kubevirt.io'],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['virtualmachines'],
      },
    ],
  };
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'virt-api-validator' },
    webhooks: [webhook],
  };
  await cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(configuration) });
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

/** What KubeVirt keeps of the instancetype and preference that a VM took; it names the one in the spec, the other in the status. */
export async function giveInstancetype(tidemark: Installation, vm: StandInVm) {
  const { cluster, kubevirt } = tidemark;
  const { namespace, name } = vm;
  const owner = await kubevirt.asOwner(vm);
  const revisionOf = (kind: string, of: string, spec: object) => ({
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${name}-${of}-v1beta1-1`,
      namespace,
      labels: {
        'instancetype.kubevirt.io/object-kind': kind,
        'instancetype.kubevirt.io/object-name': of,
        'instancetype.kubevirt.io/object-version': 'v1beta1',
      },
      ownerReferences: [owner],
    },
    data: { apiVersion: 'instancetype.kubevirt.io/v1beta1', kind, metadata: { name: of }, spec },
    revision: 0,
  });
  const large = revisionOf('VirtualMachineClusterInstancetype', 'large', { cpu: { guest: 8 } });
  const linux = revisionOf('VirtualMachinePreference', 'linux', { firmware: { preferredUseEfi: true } });
  for (const revision of [large, linux]) await tidemark.apply(revision);
  const ref = { name: 'linux', controllerRevisionRef: { name: linux.metadata.name } };
  const patch = (change: object, ...more: readonly string[]) =>
    cluster.kubectl([
      ...['-n', namespace, 'patch', 'virtualmachine', name, '--type=merge', '-p', JSON.stringify(change)],
      ...more,
    ]);
  await patch({ status: { preferenceRef: ref } }, '--subresource=status');
  const preference = { name: 'linux', kind: 'VirtualMachinePreference' };
  await patch({
    spec: { instancetype: { name: 'large', revisionName: large.metadata.name }, preference },
  });
  return { large, linux };
}
