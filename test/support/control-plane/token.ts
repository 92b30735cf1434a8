import { z } from 'zod';
import type { AdminApi } from './api.ts';
import { ControlPlaneError } from './errors.ts';

export interface TokenOptions {
  /** Whom the token is for; the API server itself unless told otherwise. */
  readonly audiences?: readonly string[];
  /** Seconds until it expires, at least 600; an hour unless told otherwise. */
  readonly expirationSeconds?: number;
  /** What the token dies with; a Node's name stands in it, as it does in the token of a pod on that node. */
  readonly boundObjectRef?: { readonly apiVersion: 'v1'; readonly kind: 'Node'; readonly name: string };
}

/** The token that a pod on this node would have. */
export function onNode(name: string): TokenOptions {
  return { boundObjectRef: { apiVersion: 'v1', kind: 'Node', name } };
}

const refusal = z.object({ message: z.string() }); // a metav1.Status
const tokenAnswer = z.object({ status: z.object({ token: z.string() }) });

/**
 * A token of a service account, from its `token` subresource (authentication.k8s.io/v1 TokenRequest).
 *
 * @throws ControlPlaneError `RequestRefused` with the API server's answer.
 */
export async function requestToken(
  api: AdminApi,
  namespace: string,
  name: string,
  options: TokenOptions = {},
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: options };
  const answer = await api.call('POST', path, body);
  if (answer.status !== 201) {
    const why = refusal.safeParse(JSON.parse(answer.text)).data?.message ?? answer.text;
    const message = `no token for the service account ${namespace}/${name}: HTTP ${answer.status}, ${why}`;
    throw new ControlPlaneError('RequestRefused', message);
  }
  return tokenAnswer.parse(JSON.parse(answer.text)).status.token;
}
