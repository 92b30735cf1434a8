import { withoutSecrets } from './without-secrets.ts';

/**
 * Keeps of an object only the fields at these paths (`spec.volumes.name`: of each volume the name), and of those nothing that may
 * be secret.
 */
export function pick(paths: readonly string[]): (object: unknown) => unknown {
  const wanted = paths.map((path) => path.split('.'));
  return (object) => withoutSecrets(picked(object, wanted));
}

function picked(value: unknown, paths: readonly (readonly string[])[]): unknown {
  if (paths.some((path) => path.length === 0)) return value;
  if (Array.isArray(value)) return value.map((item) => picked(item, paths));
  if (typeof value !== 'object' || value === null) return undefined;
  const kept = Object.entries(value).flatMap(([key, member]) => {
    const below = paths.filter(([first]) => first === key).map((path) => path.slice(1));
    return below.length === 0 ? [] : [[key, picked(member, below)] as const];
  });
  return Object.fromEntries(kept);
}
