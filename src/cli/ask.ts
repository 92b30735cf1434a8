import { setTimeout as sleep } from 'node:timers/promises';
import type { Kube } from '../kube/client.ts';
import type { Kind, KubeObject } from '../kube/kind.ts';
import { LiveLine } from './screen/live-line.ts';
import type { Terminal } from './terminal.ts';

const LOOK_AGAIN_MS = 500;

/** A wish that is said by an annotation with a new value, as `kubectl annotate --overwrite` would. */
export async function annotate<T extends KubeObject>(
  kube: Kube,
  kind: Kind<T>,
  { metadata: { namespace, name, uid } }: T,
  annotation: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<T> {
  const metadata = { namespace, name, uid, annotations: annotation };
  return await kube.apply(kind, { metadata }, { fieldManager: 'kubectl-tidemark', force: true }, signal);
}

/**
 * Looks at an object again and again, and shows how it comes on, until `answer` gives something. Stopping to wait stops nothing but that.
 * @throws KubeError when the API server cannot be asked, or the object is gone
 */
export async function waitForAnswer<T extends KubeObject, A>(
  kube: Kube,
  kind: Kind<T>,
  { metadata }: T,
  { shows, answer }: { shows: (object: T) => string; answer: (object: T) => A | undefined },
  terminal: Terminal,
): Promise<A> {
  const line = new LiveLine(terminal.stderr);
  try {
    for (;;) {
      const seen = await kube.get(kind, metadata, terminal.signal);
      const found = answer(seen);
      if (found !== undefined) return found;
      line.show(shows(seen));
      await sleep(LOOK_AGAIN_MS, undefined, { signal: terminal.signal }).catch((cause: unknown) => {
        throw new Error('stopped waiting; what was asked for goes on', { cause });
      });
    }
  } finally {
    line.end();
  }
}
