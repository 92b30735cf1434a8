import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { KeyPair } from './certificates.ts';

/** The few calls that the set-up of a cluster makes itself, as its administrator. */
export interface AdminApi {
  /** One request on a connection of its own; a body is sent as JSON. Rejects when nobody answers in 10 seconds. */
  call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly text: string }>;
}

/** @param server for example `https://127.0.0.1:40123` */
export function adminApi(server: string, caCertificate: string, admin: KeyPair): AdminApi {
  const tls = {
    ca: readFileSync(caCertificate),
    cert: readFileSync(admin.certificate),
    key: readFileSync(admin.key),
  };
  return {
    call: async (method, path, body) => {
      const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
      const headers = { 'content-type': 'application/json' };
      const sent = request(
        new URL(path, server),
        { ...tls, method, headers, agent: false, timeout: 10_000 },
        (response) => {
          text(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
        },
      );
      sent.on('error', reject);
      sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path} in 10 seconds`)));
      sent.end(body === undefined ? undefined : JSON.stringify(body));
      return await promise;
    },
  };
}
