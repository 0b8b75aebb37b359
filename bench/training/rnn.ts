// A ReLU recurrent network (Elman) in jax-js, for any number of networks at once: `vmap` puts a leading axis, the member,
// on every array. jax-js consumes an array on use: `.ref` keeps one for later.

import { jit, nn, numpy as np, tree, valueAndGrad, vmap } from "@jax-js/jax";
import { type Batch, classCount, pixelsPerStep, sequenceLength } from "./digits.ts";
import { normalNumbers } from "./random.ts";

export const hiddenUnits = 32;

// A type, not an interface: jax-js maps over objects with an index signature.
export type Parameters = {
  inputKernel: np.Array;
  recurrentKernel: np.Array;
  hiddenBias: np.Array;
  outputKernel: np.Array;
  outputBias: np.Array;
};

const shapes: Record<keyof Parameters, number[]> = {
  inputKernel: [pixelsPerStep, hiddenUnits],
  recurrentKernel: [hiddenUnits, hiddenUnits],
  hiddenBias: [hiddenUnits],
  outputKernel: [hiddenUnits, classCount],
  outputBias: [classCount],
};

export type InitialValues = Record<keyof Parameters, Float32Array<ArrayBuffer>>;

/** He et al.'s initialisation of the recurrent kernel, variance 2 / hiddenUnits, is what makes some draws explode. */
export function drawInitialValues(uniform: () => number): InitialValues {
  const normal = normalNumbers(uniform);
  const draw = (name: keyof Parameters, variance: number) => zeros(name).map(() => normal() * Math.sqrt(variance));
  return {
    inputKernel: draw("inputKernel", 1 / pixelsPerStep),
    recurrentKernel: draw("recurrentKernel", 2 / hiddenUnits),
    hiddenBias: zeros("hiddenBias"),
    outputKernel: draw("outputKernel", 1 / hiddenUnits),
    outputBias: zeros("outputBias"),
  };
}

function zeros(name: keyof Parameters): Float32Array<ArrayBuffer> {
  return new Float32Array(shapes[name].reduce((product, size) => product * size, 1));
}

export function upload(members: readonly InitialValues[]): Parameters {
  const names = Object.keys(shapes) as (keyof Parameters)[];
  const stacked = names.map((name) => [
    name,
    stack(
      members.map((values) => values[name]),
      shapes[name],
    ),
  ]);
  return Object.fromEntries(stacked) as Parameters;
}

/** A batch for each member: [member, step, example, pixel] and [member, example, class]. */
export function uploadBatches(batches: readonly Batch[]): [inputs: np.Array, targets: np.Array] {
  const size = batches[0]?.size ?? 0;
  return [
    stack(
      batches.map(({ inputs }) => inputs),
      [sequenceLength, size, pixelsPerStep],
    ),
    stack(
      batches.map(({ targets }) => targets),
      [size, classCount],
    ),
  ];
}

function stack(arrays: readonly Float32Array[], shape: readonly number[]): np.Array {
  const length = arrays[0]?.length ?? 0;
  const all = new Float32Array(arrays.length * length);
  arrays.forEach((array, index) => {
    all.set(array, index * length);
  });
  return np.array(all, { shape: [arrays.length, ...shape] });
}

/** One array a step, the same for all members. */
export function uploadSequence({ inputs, size }: Batch): np.Array[] {
  const length = size * pixelsPerStep;
  return Array.from({ length: sequenceLength }, (_, step) =>
    np.array(inputs.slice(step * length, (step + 1) * length), { shape: [size, pixelsPerStep] }),
  );
}

/** Of one member; jax-js has no scan, so the graph holds every step. */
function logits(parameters: Parameters, inputs: np.Array): np.Array {
  const { inputKernel, recurrentKernel, hiddenBias, outputKernel, outputBias } = parameters;
  // One product for each step: with one product for all, the gradient of each slice would be as large as the whole.
  const driven = (step: number) => np.add(np.matmul(inputs.ref.slice(step), inputKernel.ref), hiddenBias.ref);
  let hidden = nn.relu(driven(0));
  for (let step = 1; step < sequenceLength; step++) {
    hidden = nn.relu(np.add(np.matmul(hidden, recurrentKernel.ref), driven(step)));
  }
  for (const used of [inputs, inputKernel, recurrentKernel, hiddenBias]) used.dispose();
  return np.add(np.matmul(hidden, outputKernel), outputBias);
}

function crossEntropy(parameters: Parameters, inputs: np.Array, targets: np.Array): np.Array {
  const logLikelihood = np.sum(np.multiply(nn.logSoftmax(logits(parameters, inputs)), targets), 1);
  return np.negative(np.mean(logLikelihood));
}

/** The loss of each member and the gradients of all. */
export const lossAndGradients = jit(vmap(valueAndGrad(crossEntropy)));

/** How gradients move parameters, with a learning rate for each member. Consumes the first two, keeps the rates. */
export interface Optimizer {
  update(parameters: Parameters, gradients: Parameters, learningRates: np.Array): Parameters;
  dispose(): void;
}

const descend = jit(
  vmap((parameters: Parameters, gradients: Parameters, learningRate: np.Array): Parameters => {
    const descended = tree.map(
      (parameter: np.Array, gradient: np.Array) => np.subtract(parameter, np.multiply(gradient, learningRate.ref)),
      parameters,
      gradients,
    ) as Parameters;
    learningRate.dispose();
    return descended;
  }),
);

/** Plain stochastic gradient descent. */
export function descent(): Optimizer {
  return {
    update: (parameters, gradients, learningRates) => descend(parameters, gradients, learningRates.ref),
    dispose() {},
  };
}

const [firstDecay, secondDecay, epsilon] = [0.9, 0.999, 1e-8];

const moveMoments = jit((first: Parameters, second: Parameters, gradients: Parameters): [Parameters, Parameters] => {
  const blend = (decay: number) => (moment: np.Array, term: np.Array) =>
    np.add(np.multiply(moment, decay), np.multiply(term, 1 - decay));
  const squares = tree.map((gradient: np.Array) => np.multiply(gradient.ref, gradient), tree.ref(gradients));
  return [
    tree.map(blend(firstDecay), first, gradients) as Parameters,
    tree.map(blend(secondDecay), second, squares) as Parameters,
  ];
});

const descendByMoments = jit(
  vmap((parameters: Parameters, first: Parameters, second: Parameters, rate: np.Array): Parameters => {
    const moved = tree.map(
      (parameter: np.Array, moment: np.Array, square: np.Array) =>
        np.subtract(parameter, np.divide(np.multiply(moment, rate.ref), np.add(np.sqrt(square), epsilon))),
      parameters,
      first,
      second,
    ) as Parameters;
    rate.dispose();
    return moved;
  }),
);

/** Adam (Kingma and Ba, 2015, arXiv:1412.6980), its two corrections in the rate as at the end of section 2. */
export function adam(parameters: Parameters): Optimizer {
  const zeroes = () => tree.map((parameter: np.Array) => np.zeros(parameter.shape), parameters) as Parameters;
  let [first, second] = [zeroes(), zeroes()];
  let step = 0;
  return {
    update(parameters, gradients, learningRates) {
      step++;
      [first, second] = moveMoments(first, second, gradients);
      const corrected = Math.sqrt(1 - secondDecay ** step) / (1 - firstDecay ** step);
      const rates = np.multiply(learningRates.ref, corrected);
      return descendByMoments(parameters, tree.ref(first), tree.ref(second), rates);
    },
    dispose() {
      tree.dispose([first, second]);
    },
  };
}

type Cell = Pick<Parameters, "inputKernel" | "recurrentKernel" | "hiddenBias">;

const advance = jit(
  vmap(
    ({ inputKernel, recurrentKernel, hiddenBias }: Cell, hidden: np.Array, input: np.Array) =>
      nn.relu(np.add(np.matmul(hidden, recurrentKernel), np.add(np.matmul(input, inputKernel), hiddenBias))),
    [0, 0, null],
  ),
);

const answer = jit(
  vmap((outputKernel: np.Array, outputBias: np.Array, hidden: np.Array) =>
    np.add(np.matmul(hidden, outputKernel), outputBias),
  ),
);

/**
 * Each member's logits for each example: [member, example, class]. `inputs` holds one array for each step and is kept. One compiled
 * step runs 32 times: as one graph, jax-js would compile a large kernel for every step.
 */
export function answers({ outputKernel, outputBias, ...cell }: Parameters, inputs: readonly np.Array[]): np.Array {
  const [members, examples] = [outputBias.shape[0] ?? 0, inputs[0]?.shape[0] ?? 0];
  let hidden = np.zeros([members, examples, hiddenUnits]);
  for (const input of inputs) hidden = advance(tree.ref(cell), hidden, input.ref);
  tree.dispose(cell);
  return answer(outputKernel, outputBias, hidden);
}
