import { copy, type Elements, rewrite, rewriteEach } from "./formats.ts";
import type { Part } from "./norm.ts";
import { counter } from "./unit_norm.ts";

/** A part to write, in place or into another array. */
export interface Write extends Part {
  readonly into: Elements;
}

/** The factor of a group's elements. */
export interface Scaling {
  readonly factor: number;
  readonly skip: boolean;
}

/** gradient = scale * gradient, in place or into another array; twin of shaders/scale.wgsl. */
export function scale({ source, into }: Write, { factor, skip }: Scaling): void {
  if (skip) {
    into.stored.fill(0);
  } else if (factor === 1) {
    if (into.stored !== source.stored) copy(source, into);
  } else {
    rewrite(source, into, (values, results) => multiply(values, results, factor));
  }
}

/** Eight at a time: fewer tests of the loop's end more than double the speed. */
function multiply(values: Float32Array, results: Float32Array, factor: number): void {
  let i = 0;
  for (; i + 8 <= values.length; i += 8) {
    results[i] = (values[i] as number) * factor;
    results[i + 1] = (values[i + 1] as number) * factor;
    results[i + 2] = (values[i + 2] as number) * factor;
    results[i + 3] = (values[i + 3] as number) * factor;
    results[i + 4] = (values[i + 4] as number) * factor;
    results[i + 5] = (values[i + 5] as number) * factor;
    results[i + 6] = (values[i + 6] as number) * factor;
    results[i + 7] = (values[i + 7] as number) * factor;
  }
  for (; i < values.length; i++) results[i] = (values[i] as number) * factor;
}

/** The same with a scale for each unit along the axes; twin of shaders/scales/unit.wgsl. */
export function scaleUnits({ source, into, units }: Write, scalings: readonly Scaling[]): void {
  const unitOf = counter(units?.axes ?? []);
  rewriteEach(source, into, (value, element) => {
    const { factor, skip } = scalings[unitOf(element)] as Scaling;
    return skip ? 0 : Math.fround(value * factor);
  });
}
