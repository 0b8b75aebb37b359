/** What two browsers train: a network of two layers, to compute what another one of the same form computes. */
import { numbers } from "../adapters/task.ts";

const [inputs, units] = [160, 128];
export const batchSize = 16;
export const steps = 20;
export const rate = 0.5;
/** About half of the steps are clipped. */
export const maxNorm = 0.2;
/** The bytes of the first layer's gradient need two messages. */
export const lengths = [inputs * units, units] as const;

const x = numbers(1, batchSize * inputs);
const teacher = [numbers(2, lengths[0]), numbers(3, lengths[1])];

export function initialWeights(): Float32Array<ArrayBuffer>[] {
  return lengths.map((length, layer) => numbers(10 + layer, length).map((value) => value / 8));
}

/** The hidden units and the output for an example. */
function forward([first, second]: ArrayLike<number>[], example: number): { hidden: number[]; output: number } {
  const hidden = Array.from({ length: units }, (_, unit) => {
    let sum = 0;
    for (let i = 0; i < inputs; i++) {
      sum += (x[example * inputs + i] as number) * ((first as ArrayLike<number>)[i * units + unit] as number);
    }
    return Math.tanh(sum / 4);
  });
  const output = hidden.reduce((sum, value, unit) => sum + value * ((second as ArrayLike<number>)[unit] as number), 0);
  return { hidden, output };
}

const targets = Array.from({ length: batchSize }, (_, example) => forward(teacher, example).output / 4);

/** Of half the mean squared error over some of the examples, in float64. */
export function gradientsOf(weights: ArrayLike<number>[], examples: readonly number[]): number[][] {
  const gradients = lengths.map((length) => Array<number>(length).fill(0)) as [number[], number[]];
  for (const example of examples) {
    const { hidden, output } = forward(weights, example);
    const error = (output - (targets[example] as number)) / examples.length;
    for (let unit = 0; unit < units; unit++) {
      const value = hidden[unit] as number;
      (gradients[1][unit] as number) += error * value;
      const back = (error * (1 - value * value) * ((weights[1] as ArrayLike<number>)[unit] as number)) / 4;
      for (let i = 0; i < inputs; i++) {
        (gradients[0][i * units + unit] as number) += back * (x[example * inputs + i] as number);
      }
    }
  }
  return gradients;
}

export const allExamples: readonly number[] = targets.map((_, example) => example);

/** The training in float64, by the formula. */
export function train64(count = steps): { weights: number[][]; clippedSteps: number } {
  const weights = initialWeights().map((layer) => [...layer]);
  let clippedSteps = 0;
  for (let step = 0; step < count; step++) {
    const gradients = gradientsOf(weights, allExamples);
    const norm = Math.sqrt(gradients.flat().reduce((sum, g) => sum + g * g, 0));
    if (norm > maxNorm) clippedSteps++;
    gradients.forEach((gradient, layer) => {
      gradient.forEach((g, i) => {
        (weights[layer] as number[])[i] = (weights[layer]?.[i] as number) - rate * g * Math.min(1, maxNorm / norm);
      });
    });
  }
  return { weights, clippedSteps };
}
