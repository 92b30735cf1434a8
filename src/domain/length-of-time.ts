const MILLISECONDS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** `90s`, `10m`, `1h30m` → milliseconds; undefined for what is no length of time, or none at all. */
export function lengthOfTime(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d{1,9})([smh])/g)];
  const milliseconds = parts.reduce(
    (sum, [, n, unit]) => sum + Number(n) * (MILLISECONDS.get(unit!) ?? 0),
    0,
  );
  return milliseconds > 0 && parts.map(([part]) => part).join('') === text ? milliseconds : undefined;
}
