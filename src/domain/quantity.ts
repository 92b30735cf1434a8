const FACTORS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['k', 1e3],
  ['K', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['P', 1e15],
  ['Ki', 2 ** 10],
  ['Mi', 2 ** 20],
  ['Gi', 2 ** 30],
  ['Ti', 2 ** 40],
  ['Pi', 2 ** 50],
]);

/** `200Mi` → 209715200, as Kubernetes writes quantities; undefined for anything else, and for nothing. */
export function parseQuantity(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?(?:[eE]\d+)?)(k|[KMGTP]i?)?$/.exec(text);
  const bytes = match ? Math.round(Number(match[1]) * (FACTORS.get(match[2] ?? '') ?? 0)) : 0;
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}
