import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';

/** Names the directory into which every API server writes what our programs ask of it. */
export const AUDIT_DIRECTORY = 'TIDEMARK_AUDIT_DIRECTORY';

/** The flags of the API server of the cluster in `dir`; none unless somebody wants to know. */
export function auditFlags(dir: string): readonly string[] {
  const directory = process.env[AUDIT_DIRECTORY];
  if (directory === undefined) return [];
  const policy = join(import.meta.dirname, 'audit-policy.yaml');
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${join(directory, basename(dir))}.jsonl`];
}

const Entry = z.object({
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z
    .object({
      resource: z.string(),
      subresource: z.string().optional(),
      apiGroup: z.string().default(''),
      namespace: z.string().optional(),
    })
    .optional(),
  annotations: z.record(z.string(), z.string()).default({}),
});

/** One kind of request that a program made. */
export interface Asked {
  /** `controller` or `node-agent`. */
  readonly program: string;
  readonly verb: string;
  readonly group: string;
  /** With its subresource. */
  readonly resource: string;
  readonly namespace: string | undefined;
  /** Whether its roles did not allow it. */
  readonly isForbidden: boolean;
}

/** All requests for resources that stand in the logs of a directory. */
export async function auditedIn(directory: string): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  for (const file of await readdir(directory)) {
    for (const line of (await readFile(join(directory, file), 'utf8')).split('\n')) {
      // The last line of a server that was killed may be half.
      if (!line.endsWith('}')) continue;
      const { verb, user, objectRef, annotations } = Entry.parse(JSON.parse(line));
      if (objectRef === undefined) continue;
      const { resource, subresource, apiGroup, namespace } = objectRef;
      asked.push({
        program: user.username.replace(/^.*:tidemark-/, ''),
        verb,
        group: apiGroup,
        resource: subresource === undefined ? resource : `${resource}/${subresource}`,
        namespace,
        isForbidden: annotations['authorization.k8s.io/decision'] === 'forbid',
      });
    }
  }
  return asked;
}
