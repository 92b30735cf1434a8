/** What went wrong between us and the API server. `reason` is stable; the message names the object and the way out. */
export class KubeError extends Error {
  readonly reason: string;
  /** The HTTP status code; undefined if there was no answer. */
  readonly status: number | undefined;
  /** How long the server asked us to stay away, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(reason: string, message: string, details: KubeErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = reason;
    this.reason = reason;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export interface KubeErrorDetails {
  readonly status?: number;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** The object, its namespace, or its whole kind is not there (404). */
export class NotFound extends KubeError {}
/** An object of that name is there already (409). */
export class AlreadyExists extends KubeError {}
/** A precondition failed, or another manager owns a field that we set (409, or 422 on a JSON patch's `test`). */
export class Conflict extends KubeError {}
/** RBAC or an admission policy refused us (403). */
export class Forbidden extends KubeError {}
/** The object broke its schema or a validation rule (422). The message lists every broken field. */
export class Invalid extends KubeError {}
/** The server is busy; see `retryAfterMs` (429). */
export class TooManyRequests extends KubeError {}
/** The resourceVersion or the continue token is too old: list again (410). */
export class Expired extends KubeError {}
/** No answer: connection refused, reset, cut, or no word within the time limit. */
export class Unreachable extends KubeError {}
/** An answer that is not what the Kubernetes API says it should be. */
export class BadResponse extends KubeError {}
/** The object is there, and its content does not fit the schema that we read it with. */
export class Unreadable extends KubeError {}

type KubeErrorClass = new (reason: string, message: string, details?: KubeErrorDetails) => KubeError;

const classes: Readonly<Record<string, KubeErrorClass>> = {
  NotFound,
  AlreadyExists,
  Conflict,
  Forbidden,
  Invalid,
  TooManyRequests,
  Expired,
  Gone: Expired,
};

/** For answers without a `Status.reason`: a missing resource, or a proxy in between. */
const reasonOf: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
};

const hints: Readonly<Record<string, string>> = {
  Forbidden: 'Grant this verb in the role of the service account, or ask who owns the policy.',
  Unauthorized: 'Check the token or the client certificate of the kubeconfig.',
};

/** What we use of a `metav1.Status`. */
interface StatusBody {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly code?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}

/**
 * Turns an unhappy answer into a typed error.
 * @param what the request in words, such as `get VMBackup ns/name`
 * @param status the HTTP status code
 * @param body a parsed `metav1.Status`, or the text that came in its place
 * @param retryAfter the Retry-After header, in seconds
 */
export function errorFromStatus(what: string, status: number, body: unknown, retryAfter?: string): KubeError {
  const answer: StatusBody = typeof body === 'object' && body !== null ? body : {};
  // The reason first: 409 alone does not tell AlreadyExists from Conflict.
  const given = typeof answer.reason === 'string' && answer.reason !== '' ? answer.reason : undefined;
  const reason = given ?? reasonOf[status] ?? `HTTP${status}`;
  const Class = classes[reason] ?? classes[reasonOf[status] ?? ''] ?? KubeError;
  const said = typeof answer.message === 'string' ? answer.message : typeof body === 'string' ? body : '';
  const message = said.trim().slice(0, 4096) || `the API server answered HTTP ${status}`;
  const hint = hints[reason];
  const seconds = Number(retryAfter ?? answer.details?.retryAfterSeconds);
  return new Class(
    reason,
    hint === undefined
      ? `Cannot ${what}: ${message}`
      : `Cannot ${what}: ${message.replace(/\.$/, '')}. ${hint}`,
    {
      status,
      retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
    },
  );
}
