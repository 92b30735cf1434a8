import { KubeError } from './errors.ts';
import type { KubeRequest, Transport } from './transport.ts';

/**
 * A transport that writes only while something holds, asked in the moment of each request: a process that was stopped for a
 * minute and goes on in the middle of a reconcile must not act for a lease that is another's by now.
 */
export function fenced(transport: Transport, holds: () => boolean): Transport {
  return {
    async send(request, signal) {
      refuse(request, holds);
      return await transport.send(request, signal);
    },
    stream: (request, signal) => transport.stream(request, signal),
  };
}

function refuse({ what, method }: KubeRequest, holds: () => boolean): void {
  if (method === 'GET' || holds()) return;
  throw new KubeError(
    'NotLeading',
    `Cannot ${what}: this process does not hold the lease. Another one may lead.`,
  );
}
