/** One change of one object. An object that cannot be read counts as absent here; its key is told all the same. */
export interface Change<T> {
  readonly key: string;
  readonly old: T | undefined;
  readonly new: T | undefined;
}
