// A multilayer perceptron: 64 pixels, two hidden layers of ReLU units, 10 logits.

import { normalNumbers } from "../../bench/training/random.ts";
import forward from "./forward.wgsl?raw";
import inputGradient from "./input_gradient.wgsl?raw";
import { type Dispatch, dispatchOf, floatBuffer } from "./kernel.ts";
import loss from "./loss.wgsl?raw";
import weightGradient from "./weight_gradient.wgsl?raw";

/** Units of each layer, from the pixels to the classes. */
export const widths = [64, 64, 32, 10];

export interface Layer {
  readonly inputCount: number;
  readonly outputCount: number;
  readonly hasRelu: boolean;
  /** [input, output], with the biases as one more row. */
  readonly weightCount: number;
}

export const layers: readonly Layer[] = widths.slice(1).map((outputCount, index) => {
  const inputCount = widths[index] as number;
  const hasRelu = index < widths.length - 2;
  return { inputCount, outputCount, hasRelu, weightCount: (inputCount + 1) * outputCount };
});

/** He's initialisation: normal, with variance 2 / inputs; no bias. */
export function initialWeights(uniform: () => number): Float32Array<ArrayBuffer>[] {
  const normal = normalNumbers(uniform);
  return layers.map(({ inputCount, outputCount, weightCount }) => {
    const weights = new Float32Array(weightCount);
    for (let i = 0; i < inputCount * outputCount; i++) weights[i] = normal() * Math.sqrt(2 / inputCount);
    return weights;
  });
}

/** The network on a number of examples. It has its own activations and shares the weights. */
export interface Forward {
  readonly inputs: GPUBuffer;
  /** The input of every layer and, last, the logits: [example, unit]. */
  readonly activations: readonly GPUBuffer[];
  readonly logits: GPUBuffer;
  readonly dispatches: readonly Dispatch[];
}

export async function createForward(
  device: GPUDevice,
  weights: readonly GPUBuffer[],
  exampleCount: number,
): Promise<Forward> {
  const activations = widths.map((width, i) => floatBuffer(device, `activations ${i}`, exampleCount * width));
  const dispatches = layers.map(({ inputCount, outputCount, hasRelu }, i) =>
    dispatchOf(device, {
      label: `forward ${i + 1}`,
      code: forward,
      constants: { inputCount, outputCount, hasRelu: Number(hasRelu) },
      buffers: [activations[i], weights[i], activations[i + 1]] as GPUBuffer[],
      invocations: exampleCount * outputCount,
    }),
  );
  const [inputs, logits] = [activations[0], activations.at(-1)] as [GPUBuffer, GPUBuffer];
  return { inputs, activations, logits, dispatches: await Promise.all(dispatches) };
}

/** From the logits back to every weight's gradient. */
export interface Backward {
  readonly targets: GPUBuffer;
  /** One for each example. */
  readonly losses: GPUBuffer;
  /** The gradients to clip, one buffer for each layer. */
  readonly gradients: readonly GPUBuffer[];
  readonly dispatches: readonly Dispatch[];
}

export async function createBackward(
  device: GPUDevice,
  { activations, logits }: Forward,
  weights: readonly GPUBuffer[],
  exampleCount: number,
): Promise<Backward> {
  const classCount = widths.at(-1) as number;
  const targets = floatBuffer(device, "targets", exampleCount * classCount);
  const losses = floatBuffer(device, "losses", exampleCount);
  // Gradients with respect to a layer's output, used on the way back, and with respect to its weights, which are kept.
  const signals = layers.map(({ outputCount }, i) =>
    floatBuffer(device, `signal ${i + 1}`, exampleCount * outputCount),
  );
  const gradients = layers.map(({ weightCount }, i) => floatBuffer(device, `layer ${i + 1}`, weightCount));

  const ofLoss = dispatchOf(device, {
    label: "loss",
    code: loss,
    constants: { classCount },
    buffers: [logits, targets, losses, signals.at(-1)] as GPUBuffer[],
    invocations: exampleCount,
  });
  const ofLayers = layers.map(({ inputCount, outputCount, weightCount }, i) => {
    const constants = { inputCount, outputCount };
    const toWeights = dispatchOf(device, {
      label: `gradient of weights ${i + 1}`,
      code: weightGradient,
      constants,
      buffers: [activations[i], signals[i], gradients[i]] as GPUBuffer[],
      invocations: weightCount,
    });
    // The gradient of the pixels is not needed.
    if (i === 0) return [toWeights];
    const toInputs = dispatchOf(device, {
      label: `gradient of inputs ${i + 1}`,
      code: inputGradient,
      constants,
      buffers: [signals[i], weights[i], activations[i], signals[i - 1]] as GPUBuffer[],
      invocations: exampleCount * inputCount,
    });
    return [toWeights, toInputs];
  });
  const dispatches = await Promise.all([ofLoss, ...ofLayers.reverse().flat()]);
  return { targets, losses, gradients, dispatches };
}
