/**
 * The order in which a repository is walked: part by part of the path. (As whole strings, `a-b/c` would come before `a/c`, and a
 * walk that stops and goes on would leave something out.)
 */
export function comparePaths(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (const [index, part] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (part !== other) return part < other ? -1 : 1;
  }
  return left.length === right.length ? 0 : -1;
}
