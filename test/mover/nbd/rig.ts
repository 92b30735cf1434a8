import { randomBytes } from 'node:crypto';
import { MoverError } from '../../../src/mover/errors.ts';
import { connectNbd, type NbdConnection } from '../../../src/mover/nbd/connection.ts';
import { type FakeDisk, type FakeServer, serveFake } from '../support/fake-nbd-server.ts';

export const content = randomBytes(256 * 1024);
export const contexts = ['base:allocation'];
export const allData = { 'base:allocation': [{ offset: 0, length: content.length, flags: 0 }] };
export const never = new AbortController().signal;

/** Serves a disk as it is told to, opens it, and leaves nothing behind. */
export async function withFake<T>(
  disk: Partial<FakeDisk>,
  use: (connection: NbdConnection, server: FakeServer) => Promise<T>,
  stallMilliseconds = 10_000,
): Promise<T> {
  await using server = await serveFake({ content, contexts: allData, ...disk });
  const connection = await connectNbd({ address: server.address, contexts, stallMilliseconds }, never);
  try {
    return await use(connection, server);
  } finally {
    await connection.close();
  }
}

/** The whole disk, by reads that are all under way at once. */
export async function readAll(connection: NbdConnection, pieceBytes = 64 * 1024): Promise<Buffer> {
  const all = Buffer.alloc(connection.sizeBytes, 0xee);
  const reads: Promise<void>[] = [];
  for (let offset = 0; offset < all.length; offset += pieceBytes) {
    reads.push(connection.read(offset, all.subarray(offset, offset + pieceBytes)));
  }
  await Promise.all(reads);
  return all;
}

export async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof MoverError ? error.reason : `not typed: ${String(error)}`;
  }
  return 'no error';
}

export const lie = (answer: NonNullable<FakeDisk['answer']>): Partial<FakeDisk> => ({ answer });
