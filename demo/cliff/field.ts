import { type Clipper, clipByGlobalNorm, clipByValue } from "gradclip";
import type { MethodName } from "./descent.ts";
import { arrivedBelow, errorAt, gradientAt, isInside, type Point, view } from "./surface.ts";

export const columns = 24;
export const rows = 16;
export const startCount = columns * rows;

/** How a descent can end. */
export const endings = ["under way", "arrived", "thrown off"] as const;
export type Ending = (typeof endings)[number];

/** The middles of the field's cells, row by row from the largest b. */
export function fieldStarts(): Point[] {
  const middle = ([least, most]: readonly [number, number], share: number) => least + (most - least) * share;
  return Array.from({ length: startCount }, (_, index) => ({
    w: middle(view.w, ((index % columns) + 0.5) / columns),
    b: middle(view.b, 1 - (Math.floor(index / columns) + 0.5) / rows),
  }));
}

/** Descends from all starts at once. They are the members of one clip: each start has a norm and a scale of its own. */
export function descendFromAll(
  clipper: Clipper,
  rate: number,
  name: MethodName,
  bound: number,
  steps: number,
): Ending[] {
  const points = fieldStarts();
  const [byW, byB] = [new Float32Array(startCount), new Float32Array(startCount)];
  const method = name === "value" ? clipByValue(bound) : clipByGlobalNorm(bound, { members: startCount });
  const clip = name === "none" ? undefined : clipper.prepare([byW, byB], method);
  for (let step = 0; step < steps; step++) {
    for (const [index, point] of points.entries()) {
      const gradient = gradientAt(point);
      [byW[index], byB[index]] = [gradient.byW, gradient.byB];
    }
    clip?.run();
    for (const [index, point] of points.entries()) {
      point.w -= rate * (byW[index] as number);
      point.b -= rate * (byB[index] as number);
    }
  }
  clip?.destroy();
  return points.map((point) => {
    if (!isInside(point)) return "thrown off";
    return errorAt(point.w, point.b) < arrivedBelow ? "arrived" : "under way";
  });
}

export function countOf(field: readonly Ending[], wanted: Ending): number {
  return field.filter((ending) => ending === wanted).length;
}
