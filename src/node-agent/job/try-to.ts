import type { Logger } from 'pino';

/** Does what should be done but must not stop what comes after it; what fails is logged. Resolves to whether it was done. */
export async function tryTo(log: Logger, what: string, action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    log.warn({ err: error }, `could not ${what}`);
    return false;
  }
}
