import type { Kind, KubeObject, Ref } from './kind.ts';

/**
 * The API server, as far as we use it. Every call ends within a time limit, or when the signal aborts (it then
 * rejects with the signal's reason). Failures are the classes of errors.ts; `Unreadable` if an object came that its
 * kind cannot parse.
 */
export interface Kube {
  /** Reads one object. Throws NotFound. */
  get<T extends KubeObject>(kind: Kind<T>, ref: Ref, signal: AbortSignal): Promise<T>;

  /** Reads all objects of a selection, page by page, as they are now (not from a cache). */
  list<T extends KubeObject>(kind: Kind<T>, selection: Selection, signal: AbortSignal): Promise<readonly T[]>;

  /** Creates an object; `apiVersion` and `kind` are filled in. Throws AlreadyExists, Invalid. */
  create<T extends KubeObject>(kind: Kind<T>, object: NewObject, signal: AbortSignal): Promise<T>;

  /** Asks whether `create` would work: schema, rights, quota, admission. Throws what it would throw, and makes nothing. */
  rehearse(kind: Kind, object: NewObject, signal: AbortSignal): Promise<void>;

  /** Asks for the deletion of an object; fine if it is gone already. Throws Conflict if a precondition fails. */
  delete(kind: Kind, ref: Ref, options: DeleteOptions, signal: AbortSignal): Promise<void>;

  /** Server-side apply of the main resource: creates it if it is not there. Throws Conflict unless forced, Invalid. */
  apply<T extends KubeObject>(
    kind: Kind<T>,
    object: NewObject,
    options: ApplyOptions,
    signal: AbortSignal,
  ): Promise<T>;

  /**
   * Server-side apply of the status subresource: sets these fields, and removes those that this manager set before
   * and now leaves out. Throws NotFound; Conflict if `ref.resourceVersion` is given and the object has changed.
   * (The server ignores a uid here, so `writeStatus` is how to be sure that it is still the same object.)
   */
  applyStatus<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref & { readonly resourceVersion?: string | undefined },
    status: object,
    options: ApplyOptions,
    signal: AbortSignal,
  ): Promise<T>;

  /** JSON patch (RFC 6902). Throws Conflict if a `test` fails. */
  patch<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    operations: readonly JsonPatch[],
    signal: AbortSignal,
  ): Promise<T>;

  /**
   * PUT to a raw path, for subresources that are verbs (KubeVirt's freeze). Resolves to the parsed answer, or
   * undefined if it is empty. Build the path with `objectPath`.
   */
  put(path: string, body: unknown, options: RequestOptions, signal: AbortSignal): Promise<unknown>;

  /** The end of a pod's log, as text. Throws NotFound; BadRequest if its container has not begun. */
  podLog(ref: Ref, options: PodLogOptions, signal: AbortSignal): Promise<string>;

  /** One page of a list, unparsed: for the cache. Throws Expired if the continue token is too old. */
  listPage(kind: Kind, selection: Selection, page: Page, signal: AbortSignal): Promise<ListPage>;

  /**
   * One watch from a resourceVersion, unparsed: for the cache. Ends when the server ends it; throws Expired if the
   * version is too old, and Unreachable if the connection breaks.
   */
  watch(
    kind: Kind,
    selection: Selection,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent>;
}

/** Which objects of a kind. */
export interface Selection {
  /** All namespaces if not given. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** An object to be written: data of the kind, without what the server fills in. */
export interface NewObject {
  readonly metadata: Ref & {
    readonly uid?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
    readonly finalizers?: readonly string[] | undefined;
    readonly ownerReferences?: readonly object[] | undefined;
  };
  readonly spec?: unknown;
  readonly [field: string]: unknown;
}

export interface DeleteOptions {
  /** Delete only if it is still this very object. */
  readonly uid?: string | undefined;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
}

export interface ApplyOptions {
  /** Who owns the fields. */
  readonly fieldManager: string;
  /** Take fields from another manager instead of failing with Conflict. */
  readonly force?: boolean;
}

export interface RequestOptions {
  /** Limit for the whole request, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface PodLogOptions {
  /** Only so many lines, the last ones. */
  readonly tailLines: number;
}

export type JsonPatch =
  | { readonly op: 'test' | 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

export interface Page {
  readonly limit?: number;
  readonly continue?: string | undefined;
}

export interface ListPage {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** Token of the next page; undefined on the last. */
  readonly continue: string | undefined;
}

export interface WatchOptions {
  readonly resourceVersion: string;
  /** The server ends the watch after so many seconds. */
  readonly timeoutSeconds: number;
}

export type WatchEvent =
  /** The server accepted the watch. */
  | { readonly kind: 'Opened' }
  | { readonly kind: 'Upserted' | 'Deleted'; readonly object: unknown }
  /** Nothing happened up to this version. */
  | { readonly kind: 'Bookmark'; readonly resourceVersion: string };
