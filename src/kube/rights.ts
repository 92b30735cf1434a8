import type { Kind } from './kind.ts';

/**
 * What a program asks of the API server: the tables stand beside the programs' options (controller/rights.ts, node-agent/rights.ts),
 * and their roles are generated from them. A test reads the API server's audit log: what is granted is used, too.
 */
export interface Right {
  /** Resources of one API group. */
  readonly of: readonly Resource[];
  readonly verbs: readonly Verb[];
  /** Of these objects alone. */
  readonly named?: readonly string[];
  /** What it is for; it stands in the role as a comment. */
  readonly why: string;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'patch' | 'update' | 'delete';

export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  /** With its subresource, if it is one: `pods/log`. */
  readonly resource: string;
}

/** The rights of one program. */
export interface Rights {
  readonly everywhere: readonly Right[];
  readonly inOwnNamespace: readonly Right[];
}

/** To follow objects in a cache. */
export const FOLLOW: readonly Verb[] = ['list', 'watch'];
/** The same, and to read one past it. */
export const READ: readonly Verb[] = ['get', ...FOLLOW];

/** The resource of a kind, or a subresource of it. */
export function resource(kind: Pick<Kind, 'apiVersion' | 'plural'>, subresource?: string): Resource {
  const [group] = kind.apiVersion.includes('/') ? kind.apiVersion.split('/') : [''];
  return {
    group: group ?? '',
    resource: subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`,
  };
}
