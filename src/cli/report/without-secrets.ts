/** What stands in the place of a value that is nobody's business. */
export const LEFT_OUT = '(left out)';

/** Fields whose values may be secret, wherever they stand: of cloud-init, of credentials, and of what people put into annotations. */
const SECRET =
  /password|passphrase|token|secret(?!(Name|Ref|KeyRef)s?$)|userData|networkData|privateKey|credential|authorization/i;
/** Fields that are long and tell nothing, or that repeat the object with all that it holds. */
const NOISE = new Set(['managedFields', 'kubectl.kubernetes.io/last-applied-configuration']);

/** A copy of an object without what may be secret, and without what only takes room. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !NOISE.has(key));
  return Object.fromEntries(kept.map(([key, it]) => [key, SECRET.test(key) ? LEFT_OUT : withoutSecrets(it)]));
}
