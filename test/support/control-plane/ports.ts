import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** The ports of one cluster. */
export interface Ports {
  readonly etcd: number;
  readonly etcdPeer: number;
  readonly server: number;
}

/**
 * Finds free TCP ports on loopback. Nothing holds them afterwards: another process may take one
 * before it is used, so whoever uses them looks for "address already in use" and asks again.
 */
export async function freePorts(): Promise<Ports> {
  const servers = [createServer(), createServer(), createServer()] as const;
  for (const server of servers) server.listen(0, '127.0.0.1');
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = { etcd: portOf(servers[0]), etcdPeer: portOf(servers[1]), server: portOf(servers[2]) };
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server listens on no port');
  return address.port;
}
