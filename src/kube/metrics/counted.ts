import { KubeError } from '../errors.ts';
import { resourceOf } from '../path.ts';
import type { KubeRequest, Transport } from '../transport.ts';
import type { Meter } from './meter.ts';

/** A transport that tells of each request. A watch counts when it ends, and without its time. */
export function counted(transport: Transport, meter: Meter, uptime: () => number): Transport {
  const tell = ({ method, path }: KubeRequest, code: string, begunMs: number): void =>
    meter.requested(method, resourceOf(path), code, (uptime() - begunMs) / 1000);
  return {
    async send(request, signal) {
      const begun = uptime();
      try {
        const answer = await transport.send(request, signal);
        tell(request, '2xx', begun);
        return answer;
      } catch (error) {
        tell(request, codeOf(error), begun);
        throw error;
      }
    },
    async *stream(request, signal) {
      let code = '2xx';
      try {
        yield* transport.stream(request, signal);
      } catch (error) {
        code = codeOf(error);
        throw error;
      } finally {
        meter.requested('WATCH', resourceOf(request.path), code, 0);
      }
    },
  };
}

/** A status, or one of the few reasons of our own: never a text from outside. */
function codeOf(error: unknown): string {
  if (!(error instanceof KubeError)) return 'Aborted';
  return error.status === undefined ? error.constructor.name : `${error.status}`;
}
