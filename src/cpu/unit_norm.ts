import type { Units } from "../units.ts";
import { type Elements, read } from "./formats.ts";
import { type Found, noteFault, nothing } from "./norm.ts";

/** The findings for each unit along the axes of one tensor; twin of shaders/unit_norm.wgsl. */
export function unitNorm(elements: Elements, piece: number, { count, axes }: Units): Found[] {
  const found = Array.from({ length: count }, nothing);
  const unitOf = counter(axes);
  read(elements, (values, first) => {
    for (let i = 0; i < values.length; i++) {
      const mine = found[unitOf(first + i)] as Found;
      const value = values[i] as number;
      if (!Number.isFinite(value)) {
        noteFault(mine, value, piece, first + i);
        continue;
      }
      mine.sum += value * value;
      mine.largest = Math.max(mine.largest, Math.abs(value));
    }
  });
  return found;
}

/** Returns a function from an element to its unit, as in shaders/shared/units.wgsl. */
export function counter(axes: Units["axes"]): (element: number) => number {
  const [inner = { length: 1, stride: 0 }, ...outer] = axes;
  return (element) => {
    let unit = (element % inner.length) * inner.stride;
    let rest = Math.floor(element / inner.length);
    for (const { length, stride } of outer) {
      unit += (rest % length) * stride;
      rest = Math.floor(rest / length);
    }
    return unit;
  };
}
