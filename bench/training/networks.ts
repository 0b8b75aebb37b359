import { blockUntilReady, numpy as np, tree } from "@jax-js/jax";
import { type ClipMethod, type ClipReport, clipByGlobalNorm } from "../../src/index.ts";
import { clipped, clippingBy } from "./clipping.ts";
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

/** One entry for each member. */
export interface Measured {
  losses: ArrayLike<number>;
  /** The norms before clipping; NaN or infinite if a gradient is. */
  norms: ArrayLike<number>;
  /** Whether the method changed a member; missing if that is known for the whole group only. */
  clipped?: boolean[];
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

type Clipping = ReturnType<typeof clippingBy>;

/** Networks that train at once, each on its own batches, all with one method of clipping. */
export class Networks {
  readonly #digits: Digits;
  readonly #uniforms: (() => number)[];
  readonly #measure: Clipping | undefined;
  readonly #clip: Clipping;
  readonly #bound: number;
  readonly #rates: np.Array;
  readonly #optimizer: Optimizer;
  #parameters: Parameters;

  /** If there is no method, or it has no norm for each member, a clip that changes nothing measures the norms. */
  constructor(
    digits: Digits,
    members: readonly Member[],
    method?: ClipMethod,
    optimizerFor: (parameters: Parameters) => Optimizer = descent,
  ) {
    this.#digits = digits;
    this.#uniforms = members.map(({ seed }) => uniformNumbers(seed));
    this.#parameters = upload(this.#uniforms.map((uniform) => drawInitialValues(uniform)));
    this.#optimizer = optimizerFor(this.#parameters);
    this.#rates = np.array(members.map(({ learningRate }) => learningRate));
    const measure = clipByGlobalNorm(Infinity, { members: members.length });
    this.#clip = clippingBy(method ?? measure);
    this.#bound = method?.maxNorm ?? Infinity;
    if (method && method.grouping.kind !== "members") this.#measure = clippingBy(measure);
  }

  get count(): number {
    return this.#uniforms.length;
  }

  /**
   * Queues a whole step and returns immediately. The measured numbers arrive when the device has computed them. Losses and reports
   * are copied at their place in the queue: the next steps do not wait for them.
   */
  step(): Promise<Measured> {
    const batches = this.#uniforms.map((uniform) => this.#digits.draw(batchSize, uniform));
    const [losses, raw] = lossAndGradients(tree.ref(this.#parameters), ...uploadBatches(batches));
    const measured = this.#measure && clipped(this.#measure, raw, tree.ref(this.#parameters));
    const { gradients, report } = clipped(this.#clip, measured?.gradients ?? raw, tree.ref(this.#parameters));
    this.#parameters = this.#optimizer.update(this.#parameters, gradients, this.#rates);
    return this.#collect(losses, report, measured?.report ?? report);
  }

  async #collect(losses: np.Array, clip: Promise<ClipReport>, measure: Promise<ClipReport>): Promise<Measured> {
    const [values, { clipped }, { memberNorms: norms = new Float64Array() }] = await Promise.all([
      losses.data(),
      clip,
      measure,
    ]);
    if (this.#measure === undefined) {
      return { losses: values, norms, clipped: Array.from(norms, (norm: number) => norm > this.#bound) };
    }
    return { losses: values, norms, clipped: this.count === 1 ? [clipped] : undefined };
  }

  async examine({ inputs, labels }: Exam): Promise<Grades> {
    const logits = (await answers(tree.ref(this.#parameters), inputs).data()) as Float32Array;
    return grade(logits, labels);
  }

  dispose(): void {
    this.#clip.destroy();
    this.#measure?.destroy();
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
