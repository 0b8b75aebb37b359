import { numpy as np, tree } from "@jax-js/jax";
import type { ClipReport } from "../../src/index.ts";
import type { Batch } from "../digits.ts";
import {
  classify,
  descend,
  type InitialValues,
  lossAndGradients,
  type Parameters,
  upload,
  uploadInputs,
  uploadTargets,
} from "./rnn.ts";

/** What happens to the gradients between back-propagation and update. */
export interface GradientStage {
  apply(gradients: Record<string, np.Array>): { gradients: Record<string, np.Array>; report: Promise<ClipReport> };
  destroy(): void;
}

export interface Measurement {
  loss: number;
  norm: number;
  clipped: boolean;
  nonFinite: number;
}

/** One network in training. */
export class Run {
  readonly #stage: GradientStage;
  readonly #learningRate: np.Array;
  #parameters: Parameters;

  constructor(initial: InitialValues, stage: GradientStage, learningRate: number) {
    this.#stage = stage;
    this.#learningRate = np.array(learningRate);
    this.#parameters = upload(initial);
  }

  /**
   * Queues a whole step and returns at once; the measurement arrives when the device gets there. Loss and report are
   * copied out at their place in the queue, so the next steps need not wait for them.
   */
  step(batch: Batch): Promise<Measurement> {
    const [loss, raw] = lossAndGradients(tree.ref(this.#parameters), uploadInputs(batch), uploadTargets(batch));
    const { gradients, report } = this.#stage.apply(raw);
    this.#parameters = descend(this.#parameters, gradients as Parameters, this.#learningRate.ref);
    return this.#measure(loss, report);
  }

  async #measure(loss: np.Array, report: Promise<ClipReport>): Promise<Measurement> {
    const [[value = Number.NaN], measured] = await Promise.all([loss.data(), report]);
    const { norm, clipped, nonFinite } = measured;
    return { loss: value, norm, clipped, nonFinite };
  }

  /** The class that the network sees in each example. */
  async guess(sequence: np.Array[]): Promise<ArrayLike<number>> {
    return classify(tree.ref(this.#parameters), sequence).data();
  }

  dispose(): void {
    this.#stage.destroy();
    tree.dispose(this.#parameters);
    this.#learningRate.dispose();
  }
}
