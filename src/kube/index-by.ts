import type { Change } from './change.ts';

/** A view of objects by values computed from each; kept by following the changes. */
export function indexBy<T>(
  values: (object: T) => Iterable<string>,
  follow: (handler: (change: Change<T>) => void) => unknown,
): (value: string) => readonly T[] {
  const index = new Map<string, Map<string, T>>();
  follow(({ key, old, new: now }) => {
    for (const value of old === undefined ? [] : values(old)) {
      const bucket = index.get(value);
      bucket?.delete(key);
      if (bucket?.size === 0) index.delete(value);
    }
    if (now === undefined) return;
    for (const value of values(now)) {
      index.set(value, (index.get(value) ?? new Map<string, T>()).set(key, now));
    }
  });
  return (value) => [...(index.get(value)?.values() ?? [])];
}
