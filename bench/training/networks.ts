import { blockUntilReady, numpy as np, tree } from "@jax-js/jax";
import { classCount, type Digits } from "./digits.ts";
import { uniformNumbers } from "./random.ts";
import {
  answers,
  descent,
  drawInitialValues,
  lossAndGradients,
  type Optimizer,
  type Parameters,
  upload,
  uploadBatches,
} from "./rnn.ts";

export const batchSize = 16;

/** The seed decides the initial weights and the order of the batches. */
export interface Member {
  seed: number;
  learningRate: number;
}

export interface Grades {
  accuracy: number[];
  losses: number[];
  /** The class that the first member sees in each example. */
  guesses: number[];
}

/** Digits that are never trained on: one array for each step on the device, and the labels. */
export interface Exam {
  inputs: readonly np.Array[];
  labels: Uint8Array;
}

/** What becomes of the gradients before the update. It consumes both. */
export type Clip = (gradients: Parameters, parameters: Parameters) => Parameters;

/** Networks that train at once, each on its own batches. */
export class Networks {
  readonly #digits: Digits;
  readonly #uniforms: (() => number)[];
  readonly #rates: np.Array;
  readonly #optimizer: Optimizer;
  #parameters: Parameters;

  constructor(
    digits: Digits,
    members: readonly Member[],
    optimizerFor: (parameters: Parameters) => Optimizer = descent,
  ) {
    this.#digits = digits;
    this.#uniforms = members.map(({ seed }) => uniformNumbers(seed));
    this.#parameters = upload(this.#uniforms.map((uniform) => drawInitialValues(uniform)));
    this.#optimizer = optimizerFor(this.#parameters);
    this.#rates = np.array(members.map(({ learningRate }) => learningRate));
  }

  /**
   * Queues a whole step and returns immediately. The loss of each member arrives when the device has computed it: it is copied at
   * its place in the queue, and the next steps do not wait for it.
   */
  step(clip: Clip): Promise<ArrayLike<number>> {
    const batches = this.#uniforms.map((uniform) => this.#digits.draw(batchSize, uniform));
    const [losses, raw] = lossAndGradients(tree.ref(this.#parameters), ...uploadBatches(batches));
    const gradients = clip(raw, tree.ref(this.#parameters));
    this.#parameters = this.#optimizer.update(this.#parameters, gradients, this.#rates);
    return losses.data();
  }

  async examine({ inputs, labels }: Exam): Promise<Grades> {
    const logits = (await answers(tree.ref(this.#parameters), inputs).data()) as Float32Array;
    return grade(logits, labels);
  }

  dispose(): void {
    this.#optimizer.dispose();
    tree.dispose(this.#parameters);
    this.#rates.dispose();
  }
}

/** Mean loss and share of right answers of each member; an answer with a NaN in it is wrong. */
function grade(logits: Float32Array, labels: Uint8Array): Grades {
  const stride = labels.length * classCount;
  const grades: Grades = { accuracy: [], losses: [], guesses: [] };
  for (let start = 0; start < logits.length; start += stride) {
    let [right, loss] = [0, 0];
    labels.forEach((label, example) => {
      const scores = logits.subarray(start + example * classCount, start + (example + 1) * classCount);
      const best = Math.max(...scores);
      const guess = scores.indexOf(best);
      if (start === 0) grades.guesses.push(guess);
      if (guess === label) right++;
      loss +=
        best + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - best), 0)) - (scores[label] as number);
    });
    grades.accuracy.push(right / labels.length);
    grades.losses.push(loss / labels.length);
  }
  return grades;
}

/** Traces and compiles everything for a group of this size, without blocking if the backend can. */
export async function compile(count: number, digits: Digits, exam: Exam): Promise<void> {
  const uniform = uniformNumbers(0);
  const parameters = upload(Array.from({ length: count }, () => drawInitialValues(uniform)));
  const batches = Array.from({ length: count }, () => digits.draw(batchSize, uniform));
  const [losses, gradients] = lossAndGradients(tree.ref(parameters), ...uploadBatches(batches));
  await blockUntilReady([losses, ...Object.values(gradients)]);
  losses.dispose();
  const rates = np.zeros([count]);
  const labels = answers(descent().update(parameters, gradients, rates), exam.inputs);
  await blockUntilReady(labels);
  for (const used of [labels, rates]) used.dispose();
}
