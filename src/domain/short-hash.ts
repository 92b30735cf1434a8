/**
 * A short, stable hash of some words: 7 characters of [0-9a-z], fit for Kubernetes names. Tells names apart; proves
 * nothing (FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/).
 */
export function shortHash(...words: readonly string[]): string {
  let hash = 0x811c9dc5;
  // NUL stands in no Kubernetes name, so ('a', 'bc') and ('ab', 'c') differ.
  for (const byte of new TextEncoder().encode(words.join('\0'))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(36).padStart(7, '0');
}

/** Shortens a name to a length: as it is if it fits, else its beginning and a hash of the whole. */
export function fitName(name: string, maxLength: number): string {
  if (name.length <= maxLength) return name;
  const hash = shortHash(name);
  return `${trimEnd(name.slice(0, maxLength - hash.length - 1))}-${hash}`;
}

/** A DNS label ends with a letter or a digit, and what is cut may not. */
export function trimEnd(name: string): string {
  return name.replace(/[-.]+$/, '');
}
