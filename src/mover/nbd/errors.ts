import { ExitCode, MoverError } from '../errors.ts';

/** Anything that goes wrong between us and the NBD server. */
abstract class NbdError extends MoverError {
  readonly exitCode = ExitCode.source;
}

/** The server cannot be reached, or does not give what is needed: no such socket, no such export, TLS demanded. */
export class NbdRefused extends NbdError {
  constructor(message: string, options?: ErrorOptions) {
    super('NbdRefused', message, options);
  }
}

/** The connection ended while the export was in use: the backup job was aborted, or QEMU ended. The two look alike. */
export class NbdGone extends NbdError {
  constructor(message: string, options?: ErrorOptions) {
    super('NbdGone', message, options);
  }
}

/** The server owes an answer and has sent nothing for the whole deadline. */
export class NbdSilent extends NbdError {
  constructor(message: string) {
    super('NbdSilent', message);
  }
}

/** The server said something the protocol forbids. Nothing it says afterwards can be trusted. */
export class NbdProtocolError extends NbdError {
  constructor(message: string) {
    super('NbdProtocolError', `the NBD server broke the protocol: ${message}`);
  }
}

/** The server answered one request with an error; `errno` by NBD's own table. The connection stays usable. */
export class NbdServerError extends NbdError {
  readonly errno: number;

  constructor(errno: number, message: string) {
    super('NbdServerError', message);
    this.errno = errno;
  }
}

/** The dirty bitmap asked for is not among the export's meta contexts. */
export class BitmapNotExported extends NbdError {
  constructor(bitmap: string, exportName: string) {
    super(
      'BitmapNotExported',
      `the NBD export "${exportName}" has no dirty bitmap "${bitmap}": begin the backup as an incremental with this bitmap, or take a full`,
    );
  }
}
