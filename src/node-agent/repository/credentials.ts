import { secrets } from '../../crds/core.ts';
import type { Kube } from '../../kube/client.ts';
import { Forbidden, NotFound } from '../../kube/errors.ts';
import type { Where } from './mount.ts';

/** Reads what a mount needs to know, line by line as its file wants it. Asked for each mount: a Secret that is changed counts at once. */
export type Credentials = (signal: AbortSignal) => Promise<readonly string[]>;

/** No way to the credentials of a repository. `reason` goes unchanged into conditions. */
export class CredentialsMissing extends Error {
  readonly reason: 'SecretNotFound' | 'SecretForbidden' | 'SecretInvalid';

  constructor(reason: CredentialsMissing['reason'], message: string) {
    super(message);
    this.name = 'CredentialsMissing';
    this.reason = reason;
  }
}

/** How the credentials of a repository are read; undefined if it needs none. `namespace` is that of Tidemark. */
export function credentialsOf(
  { cifs, cephfs }: Where,
  kube: Pick<Kube, 'get'>,
  namespace: string,
): Credentials | undefined {
  const name = (cifs ?? cephfs)?.secretName;
  if (name === undefined) return undefined;
  return async (signal) => {
    const data = await readSecret(kube, namespace, name, signal);
    const value = (key: string) => valueOf(data, key, `${namespace}/${name}`);
    if (cephfs) return [value('key')];
    const domain = data['domain'] === undefined ? [] : [`domain=${value('domain')}`];
    return [`username=${value('username')}`, `password=${value('password')}`, ...domain];
  };
}

async function readSecret(
  kube: Pick<Kube, 'get'>,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  try {
    return (await kube.get(secrets, { namespace, name }, signal)).data ?? {};
  } catch (error) {
    const which = `Secret '${name}' in namespace '${namespace}'`;
    if (error instanceof NotFound)
      throw new CredentialsMissing(
        'SecretNotFound',
        `There is no ${which}: create it, or correct secretName.`,
      );
    if (error instanceof Forbidden) {
      const message = `The node agents may not read ${which}: give them a Role and a RoleBinding for it, as docs/repositories.md shows.`;
      throw new CredentialsMissing('SecretForbidden', message);
    }
    throw error;
  }
}

/** A value must be one line: a line of its own would be another option of the mount. */
function valueOf(data: Readonly<Record<string, string>>, key: string, secret: string): string {
  const value = Buffer.from(data[key] ?? '', 'base64')
    .toString()
    .replace(/\r?\n$/, '');
  if (value === '')
    throw new CredentialsMissing('SecretInvalid', `Secret ${secret} has no value for the key '${key}'.`);
  if (/[\r\n\0]/.test(value))
    throw new CredentialsMissing(
      'SecretInvalid',
      `The key '${key}' of Secret ${secret} must be a single line.`,
    );
  return value;
}
