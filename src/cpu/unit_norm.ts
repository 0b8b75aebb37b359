import type { Units } from "../units.ts";
import { type Elements, read } from "./formats.ts";
import { type Found, noteFault, nothing } from "./norm.ts";

/** What was found in each unit along the axes of one tensor; twin of shaders/unit_norm.wgsl. */
export function unitNorm(elements: Elements, piece: number, { count, axes: runs }: Units): Found[] {
  const found = Array.from({ length: count }, nothing);
  const unitOf = counter(runs);
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

/** The unit of an element, by the numbers of the runs: as shaders/shared/units.wgsl has it. */
export function counter(runs: Units["axes"]): (element: number) => number {
  const [inner = { size: 1, step: 0 }, ...outer] = runs;
  return (element) => {
    let unit = (element % inner.size) * inner.step;
    let rest = Math.floor(element / inner.size);
    for (const { size, step } of outer) {
      unit += (rest % size) * step;
      rest = Math.floor(rest / size);
    }
    return unit;
  };
}
