/** A linear layer that learns under adaptive gradient clipping, in float64: the reference for the engines. */
import { numbers } from "./task.ts";

const [examples, inputs, outputs] = [16, 6, 3];

export const agcTask = {
  clipping: 0.2,
  eps: 1e-3,
  learningRate: 0.5,
  steps: 20,
  x: numbers(1, examples * inputs),
  xShape: [examples, inputs],
  y: numbers(2, examples * outputs),
  yShape: [examples, outputs],
  kernel: numbers(3, inputs * outputs),
  kernelShape: [inputs, outputs],
  // Zeros grow by eps.
  bias: new Float32Array(outputs),
};

export interface Layer {
  kernel: number[];
  bias: number[];
}

/** After all steps, by the mean of the squared errors; and how many of the units were clipped in them. */
export function trainByAgc64(clipping = agcTask.clipping): Layer & { clipped: number; units: number } {
  const { x, y, eps, learningRate, steps } = agcTask;
  const [kernel, bias] = [Array.from(agcTask.kernel), Array.from(agcTask.bias)];
  let [clipped, units] = [0, 0];
  const descend = (parameters: number[], gradients: number[], places: number[]) => {
    const norm = (values: number[]) => Math.hypot(...places.map((place) => values[place] as number));
    const scale = Math.min(1, (clipping * Math.max(norm(parameters), eps)) / norm(gradients));
    units += 1;
    if (scale < 1) clipped += 1;
    for (const place of places) {
      parameters[place] = (parameters[place] as number) - learningRate * scale * (gradients[place] as number);
    }
  };
  for (let step = 0; step < steps; step++) {
    const kernelGradient = kernel.map(() => 0);
    const biasGradient = bias.map(() => 0);
    for (let example = 0; example < examples; example++) {
      for (let output = 0; output < outputs; output++) {
        let error = (bias[output] as number) - (y[example * outputs + output] as number);
        for (let i = 0; i < inputs; i++) {
          error += (x[example * inputs + i] as number) * (kernel[i * outputs + output] as number);
        }
        const slope = (2 * error) / (examples * outputs);
        biasGradient[output] = (biasGradient[output] as number) + slope;
        for (let i = 0; i < inputs; i++) {
          const place = i * outputs + output;
          kernelGradient[place] = (kernelGradient[place] as number) + slope * (x[example * inputs + i] as number);
        }
      }
    }
    // A unit has the weights of one output; a bias is one unit.
    for (let output = 0; output < outputs; output++) {
      descend(
        kernel,
        kernelGradient,
        Array.from({ length: inputs }, (_, i) => i * outputs + output),
      );
    }
    descend(
      bias,
      biasGradient,
      bias.map((_, output) => output),
    );
  }
  return { kernel, bias, clipped, units };
}

/** AGC of one gradient that is one unit. */
export function agc64(gradient: number[], parameter: number[], clipping: number): number[] {
  const bound = clipping * Math.max(Math.hypot(...parameter), agcTask.eps);
  return gradient.map((value) => value * Math.min(1, bound / Math.hypot(...gradient)));
}
