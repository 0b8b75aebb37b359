// A ReLU recurrent network (Elman) in jax-js. jax-js consumes an array on use: `.ref` keeps one for later.

import { blockUntilReady, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { type Batch, classCount, pixelsPerStep, sequenceLength } from "../digits.ts";
import { normalNumbers } from "../random.ts";

export const hiddenUnits = 32;

// A type, not an interface: jax-js maps over objects with an index signature.
export type Parameters = {
  inputKernel: np.Array;
  recurrentKernel: np.Array;
  hiddenBias: np.Array;
  outputKernel: np.Array;
  outputBias: np.Array;
};

export type InitialValues = Record<keyof Parameters, { shape: number[]; values: Float32Array<ArrayBuffer> }>;

/** He et al.'s initialisation of the recurrent kernel, variance 2 / hiddenUnits, is what makes some draws explode. */
export function drawInitialValues(uniform: () => number): InitialValues {
  const normal = normalNumbers(uniform);
  const draw = (shape: [number, number], variance: number) => ({
    shape,
    values: Float32Array.from({ length: shape[0] * shape[1] }, () => normal() * Math.sqrt(variance)),
  });
  const zeros = (length: number) => ({ shape: [length], values: new Float32Array(length) });
  return {
    inputKernel: draw([pixelsPerStep, hiddenUnits], 1 / pixelsPerStep),
    recurrentKernel: draw([hiddenUnits, hiddenUnits], 2 / hiddenUnits),
    hiddenBias: zeros(hiddenUnits),
    outputKernel: draw([hiddenUnits, classCount], 1 / hiddenUnits),
    outputBias: zeros(classCount),
  };
}

export function upload(initial: InitialValues): Parameters {
  const entries = Object.entries(initial).map(([name, { shape, values }]) => [name, np.array(values, { shape })]);
  return Object.fromEntries(entries) as Parameters;
}

export function uploadInputs({ inputs, size }: Batch): np.Array {
  return np.array(inputs, { shape: [sequenceLength, size, pixelsPerStep] });
}

/** One array a step. */
export function uploadSequence({ inputs, size }: Batch): np.Array[] {
  const length = size * pixelsPerStep;
  return Array.from({ length: sequenceLength }, (_, step) =>
    np.array(inputs.slice(step * length, (step + 1) * length), { shape: [size, pixelsPerStep] }),
  );
}

export function uploadTargets({ targets, size }: Batch): np.Array {
  return np.array(targets, { shape: [size, classCount] });
}

function logits(parameters: Parameters, inputs: np.Array): np.Array {
  const { inputKernel, recurrentKernel, hiddenBias, outputKernel, outputBias } = parameters;
  const driven = np.add(np.matmul(inputs, inputKernel), hiddenBias);
  let hidden = nn.relu(driven.ref.slice(0));
  // jax-js has no scan: the graph holds every step.
  for (let step = 1; step < sequenceLength; step++) {
    hidden = nn.relu(np.add(np.matmul(hidden, recurrentKernel.ref), driven.ref.slice(step)));
  }
  recurrentKernel.dispose();
  driven.dispose();
  return np.add(np.matmul(hidden, outputKernel), outputBias);
}

function crossEntropy(parameters: Parameters, inputs: np.Array, targets: np.Array): np.Array {
  const logLikelihood = np.sum(np.multiply(nn.logSoftmax(logits(parameters, inputs)), targets), 1);
  return np.negative(np.mean(logLikelihood));
}

export const lossAndGradients = jit(valueAndGrad(crossEntropy));

/** Plain stochastic gradient descent. */
export const descend = jit((parameters: Parameters, gradients: Parameters, learningRate: np.Array): Parameters => {
  const descended = tree.map(
    (parameter: np.Array, gradient: np.Array) => np.subtract(parameter, np.multiply(gradient, learningRate.ref)),
    parameters,
    gradients,
  ) as Parameters;
  learningRate.dispose();
  return descended;
});

const advance = jit(({ inputKernel, recurrentKernel, hiddenBias }: Cell, hidden: np.Array, input: np.Array) =>
  nn.relu(np.add(np.matmul(hidden, recurrentKernel), np.add(np.matmul(input, inputKernel), hiddenBias))),
);

const answer = jit((outputKernel: np.Array, outputBias: np.Array, hidden: np.Array) =>
  np.argmax(np.add(np.matmul(hidden, outputKernel), outputBias), 1),
);

type Cell = Pick<Parameters, "inputKernel" | "recurrentKernel" | "hiddenBias">;

/**
 * The class that the network sees in each example; `inputs` holds one array a step and is kept. One compiled step
 * called 32 times: as one graph, jax-js would compile a large kernel for every step.
 */
export function classify({ outputKernel, outputBias, ...cell }: Parameters, inputs: np.Array[]): np.Array {
  const examples = inputs[0]?.shape[0] ?? 0;
  let hidden = np.zeros([examples, hiddenUnits]);
  for (const input of inputs) hidden = advance(tree.ref(cell), hidden, input.ref);
  tree.dispose(cell);
  return answer(outputKernel, outputBias, hidden);
}

/** Traces the network and compiles its kernels, without blocking where the backend can. Returns gradients as an example. */
export async function compile(training: Batch, heldOut: np.Array[]): Promise<Parameters> {
  const parameters = upload(drawInitialValues(() => 0.5));
  const [loss, gradients] = lossAndGradients(tree.ref(parameters), uploadInputs(training), uploadTargets(training));
  await blockUntilReady([loss, ...Object.values(gradients)]);
  loss.dispose();
  const labels = classify(descend(parameters, tree.ref(gradients), np.array(0)), heldOut);
  await blockUntilReady(labels);
  labels.dispose();
  return gradients;
}
