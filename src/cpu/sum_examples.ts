import type { ClipMethod } from "../methods/method.ts";
import { presentElements } from "../pieces.ts";
import type { Tensor } from "../view.ts";
import { elementsFor, type PreparedArrays } from "./arrays.ts";
import { read, rewriteEach } from "./formats.ts";
import type { Scaling } from "./scale.ts";

/** into = (what is there, where sums go on) + the sum of scale * gradient over consecutive examples; twin of shaders/sum_examples.wgsl. */
export function sumExamples(
  { written, parts }: PreparedArrays,
  scalings: readonly Scaling[],
  { examples, accumulate }: ClipMethod,
): void {
  for (const tensor of written) {
    const length = tensor.length / (examples as number);
    const count = presentElements(tensor) / length;
    // In place there is no room for the sum of none.
    if (count === 0 && !tensor.into) continue;
    const first = parts.find((part) => part.tensor === tensor)?.group ?? 0;
    sumOne(tensor, length, scalings.slice(first, first + count), accumulate === true);
  }
}

function sumOne(tensor: Tensor, length: number, scalings: readonly Scaling[], accumulate: boolean): void {
  const { source, dtype } = tensor;
  const sum = new Float64Array(length);
  for (const [example, { factor, skip }] of scalings.entries()) {
    if (skip) continue;
    read(elementsFor(source, dtype, { first: example * length, length }), (values, first) => {
      for (let i = 0; i < values.length; i++) {
        sum[first + i] = (sum[first + i] as number) + (values[i] as number) * factor;
      }
    });
  }
  const target = tensor.into ?? { ...source, dtype };
  const into = elementsFor(target, target.dtype, { first: 0, length });
  rewriteEach(into, into, (before, element) => (sum[element] as number) + (accumulate ? before : 0));
}
