/** The task that every engine trains on: a network learns what another network of the same form computes. */
import type { ClipReport } from "../../src/index.ts";

export const inputs = 12;
/** Of each dense layer; two have a number of elements that is no multiple of 4. */
export const units = [33, 16, 1];
export const learningRate = 0.1;
/** In this task the norm is above it for about half of the first 20 steps. */
export const maxNorm = 0.4;
const batchSize = 64;

/** Plain data: it crosses from a page to the test. */
export interface Training {
  gradclip: Trained;
  operations: Trained;
  none: Trained;
  report: ClipReport;
}

export interface Trained {
  losses: number[];
  weights: number[];
}

/** Uniform in [-1, 1): the same numbers everywhere. */
export function numbers(seed: number, length: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export interface Weight {
  name: string;
  shape: number[];
  values: Float32Array<ArrayBuffer>;
}

/** Kernel and bias of each layer. */
export function initialWeights(seed = 1): Weight[] {
  return units.flatMap((count, i) => {
    const before = units[i - 1] ?? inputs;
    const scale = Math.sqrt(3 / before);
    return [
      {
        name: `kernel${i}`,
        shape: [before, count],
        values: numbers(seed + 2 * i, before * count).map((v) => v * scale),
      },
      { name: `bias${i}`, shape: [count], values: numbers(seed + 2 * i + 1, count).map((v) => v / 2) },
    ];
  });
}

/** Inputs, and three times the teacher's output for them: the first gradients are large. */
export function examples(): { x: Float32Array<ArrayBuffer>; y: Float32Array<ArrayBuffer> } {
  const x = numbers(100, batchSize * inputs);
  const teacher = initialWeights(50);
  const y = Float32Array.from({ length: batchSize }, (_, example) => {
    let activations = [...x.subarray(example * inputs, (example + 1) * inputs)];
    for (let layer = 0; layer < units.length; layer++) {
      const [kernel, bias] = teacher.slice(2 * layer) as [Weight, Weight];
      const count = units[layer] as number;
      const sums = Array.from(bias.values, (b, unit) =>
        activations.reduce((sum, a, i) => sum + a * (kernel.values[i * count + unit] as number), b),
      );
      activations = layer === units.length - 1 ? sums : sums.map(Math.tanh);
    }
    return 3 * (activations[0] as number);
  });
  return { x, y };
}

/** Of the 74 weights of a small transformer: an embedding, six blocks of twelve, a head. */
export function transformerShapes(width = 32): number[][] {
  const block = [
    ...[[width], [width]],
    ...[[width, 3 * width], [3 * width]],
    ...[[width, width], [width]],
    ...[[width], [width]],
    ...[[width, 4 * width], [4 * width]],
    ...[[4 * width, width], [width]],
  ];
  return [[64, width], ...Array.from({ length: 6 }, () => block).flat(), [width, 64]];
}
