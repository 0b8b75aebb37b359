import { type Elements, read, rewriteEach } from "./formats.ts";
import type { Scaling } from "./scale.ts";

/** into = (what is there, where sums go on) + the sum of scale * gradient over consecutive examples; twin of shaders/sum_examples.wgsl. */
export function sumExamples(
  examples: readonly Elements[],
  into: Elements,
  scalings: readonly Scaling[],
  accumulate: boolean,
): void {
  const sum = new Float64Array(into.stored.length);
  for (const [example, elements] of examples.entries()) {
    const { factor, skip } = scalings[example] as Scaling;
    if (skip) continue;
    read(elements, (values, first) => {
      for (let i = 0; i < values.length; i++) {
        sum[first + i] = (sum[first + i] as number) + (values[i] as number) * factor;
      }
    });
  }
  rewriteEach(into, into, (before, element) => (sum[element] as number) + (accumulate ? before : 0));
}
