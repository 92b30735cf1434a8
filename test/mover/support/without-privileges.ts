import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const NOBODY = 65_534;

/** Does something as nobody, to whom all directories below here belong: root may look into and remove everything. */
export async function withoutPrivileges<T>(directory: string, action: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return await action();
  chownSync(directory, NOBODY, NOBODY);
  for (const entry of readdirSync(directory, { recursive: true, encoding: 'utf8' }))
    chownSync(join(directory, entry), NOBODY, NOBODY);
  process.seteuid?.(NOBODY);
  try {
    return await action();
  } finally {
    process.seteuid?.(0);
  }
}
