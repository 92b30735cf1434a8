/** Why a control plane could not be had. Stable: tests and the demo match on it. */
export type ControlPlaneReason =
  | 'BinariesMissing'
  | 'ProcessExited'
  | 'NotReady'
  | 'RequestRefused'
  | 'CommandFailed';

/** The one error of this folder; the message says what happened, to which process, and what to do. */
export class ControlPlaneError extends Error {
  override readonly name = 'ControlPlaneError';
  readonly reason: ControlPlaneReason;

  constructor(reason: ControlPlaneReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
