/**
 * A short, stable hash of some words: 7 characters of [0-9a-z], fit for Kubernetes names. Tells names apart; proves
 * nothing (FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/).
 */
export function shortHash(...words: readonly string[]): string {
  return fnv(words).toString(36).padStart(7, '0');
}

/** A number in [0, 1) that is always the same for the same words, and differs widely between words that differ little. */
export function fractionOf(...words: readonly string[]): number {
  // FNV leaves the upper bits of short words alike: murmur's finish mixes them.
  let hash = fnv(words);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

function fnv(words: readonly string[]): number {
  let hash = 0x811c9dc5;
  // NUL stands in no Kubernetes name, so ('a', 'bc') and ('ab', 'c') differ.
  for (const byte of new TextEncoder().encode(words.join('\0'))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash;
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
