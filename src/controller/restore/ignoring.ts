import type { AlreadyExists, NotFound } from '../../kube/errors.ts';

/** What an effect gives, or nothing if it fails in the one way that is as good as done. */
export async function ignoring<T>(
  known: typeof AlreadyExists | typeof NotFound,
  effect: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await effect();
  } catch (error) {
    if (error instanceof known) return undefined;
    throw error;
  }
}
