import type { Point } from '../../../src/domain/retention/policy.ts';

/** A full of its own at this instant; each test says only what it is about. */
export function point(takenAt: string, changes: Partial<Point> = {}): Point {
  return {
    name: takenAt,
    path: `vm/${takenAt}`,
    parents: [],
    takenAt: Date.parse(takenAt),
    bytes: 1,
    tags: [],
    held: false,
    damaged: false,
    decided: true,
    ...changes,
  };
}

/** Chains of `length` points from the oldest on: each stands on the one before it. */
export function inChains(points: readonly Point[], length: number): readonly Point[] {
  return points.map((each, index) =>
    index % length === 0 ? each : { ...each, parents: [points[index - 1]!.path] },
  );
}
