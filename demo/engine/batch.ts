import { type Digits, pixelsPerStep, type Batch as Sequence, sequenceLength } from "../../bench/training/digits.ts";

/** Examples of the network: pixels as [example, pixel], one-hot labels as [example, class]. */
export interface Batch {
  inputs: Float32Array<ArrayBuffer>;
  targets: Float32Array<ArrayBuffer>;
}

/** Training digits, drawn with replacement. */
export function drawBatch(digits: Digits, size: number, uniform: () => number): Batch {
  return wholeImages(digits.draw(size, uniform));
}

export function heldOutBatch(digits: Digits): Batch {
  return wholeImages(digits.heldOut());
}

/** The loader's digits are sequences, [step, example, pixel]: an image is all of an example's steps in a row. */
function wholeImages({ size, inputs, targets }: Sequence): Batch {
  const images = new Float32Array(inputs.length);
  const rowLength = size * pixelsPerStep;
  inputs.forEach((level, at) => {
    const step = Math.floor(at / rowLength);
    const example = Math.floor((at % rowLength) / pixelsPerStep);
    images[(example * sequenceLength + step) * pixelsPerStep + (at % pixelsPerStep)] = level;
  });
  return { inputs: images, targets };
}
