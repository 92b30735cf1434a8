import { type Kind, keyOf, type Ref } from './kind.ts';

type Resource = Pick<Kind, 'apiVersion' | 'kind' | 'plural' | 'namespaced'>;

/**
 * The URL path of a collection: of one namespace, or of all if none is named.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
 */
export function collectionPath(kind: Resource, namespace?: string): string {
  const root = kind.apiVersion.includes('/') ? `/apis/${kind.apiVersion}` : `/api/${kind.apiVersion}`;
  const scope =
    kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${kind.plural}`;
}

/**
 * The URL path of one object, or of a subresource of it.
 * Throws a `TypeError` if the namespace is missing: the request would hit the wrong resource.
 */
export function objectPath(kind: Resource, ref: Ref, subresource?: string): string {
  if (ref.name === '') throw new TypeError(`A ${kind.kind} without a name has no path: name it.`);
  if (kind.namespaced && !ref.namespace) {
    throw new TypeError(`${kind.kind} ${keyOf(ref)} is namespaced: say in which namespace it is.`);
  }
  const object = `${collectionPath(kind, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource === undefined ? object : `${object}/${subresource}`;
}

/**
 * The resource that a path speaks of, with its subresource: `vmbackups/status`. Names and namespaces are left out, so that
 * there are only as many answers as there are resources.
 */
export function resourceOf(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  const inVersion = parts[0] === 'api' ? parts.slice(2) : parts[0] === 'apis' ? parts.slice(3) : [];
  // A namespace itself is a resource, and so is its status.
  const isWithin = inVersion[0] === 'namespaces' && inVersion.length > 2;
  const [plural, , subresource] = isWithin ? inVersion.slice(2) : inVersion;
  if (plural === undefined) return 'other';
  return subresource === undefined ? plural : `${plural}/${subresource}`;
}
