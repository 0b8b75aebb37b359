import { tree } from "@jax-js/jax";
import { type ClipMethod, type ClipReport, clipByGlobalNorm } from "../../src/index.ts";
import { clipped, clippingBy } from "../training/clipping.ts";
import type { Digits } from "../training/digits.ts";
import { type Exam, type Grades, type Member, Networks } from "../training/networks.ts";
import type { Optimizer, Parameters } from "../training/rnn.ts";

/** One entry for each member. */
export interface Measured {
  losses: ArrayLike<number>;
  /** The norms before clipping; NaN or infinite if a gradient is. */
  norms: ArrayLike<number>;
  /** Whether the method changed a member; missing if that is not known for each. */
  clipped?: boolean[];
}

type Clipping = ReturnType<typeof clippingBy>;

/** Networks that train at once, all with one method of clipping, which reports each step. */
export class Ensemble {
  readonly #networks: Networks;
  readonly #measure: Clipping | undefined;
  readonly #clip: Clipping;
  readonly #bound: number;

  /** If there is no method, or it has no norm for each member, a clip that changes nothing measures the norms. */
  constructor(
    digits: Digits,
    members: readonly Member[],
    method: ClipMethod | undefined,
    optimizerFor: (parameters: Parameters) => Optimizer,
  ) {
    this.#networks = new Networks(digits, members, optimizerFor);
    const measure = clipByGlobalNorm(Infinity, { members: members.length });
    this.#clip = clippingBy(method ?? measure);
    this.#bound = method?.maxNorm ?? Infinity;
    if (method && method.grouping.kind !== "members") this.#measure = clippingBy(measure);
  }

  /** Queues a whole step. The reports are copied at their place in the queue, as the losses are. */
  async step(): Promise<Measured> {
    const reports: Promise<ClipReport>[] = [];
    const losses = this.#networks.step((raw, parameters) => {
      const clips = [this.#measure, this.#clip].filter((clip) => clip !== undefined);
      const gradients = clips.reduce((gradients, clip) => {
        const next = clipped(clip, gradients, tree.ref(parameters));
        reports.push(clip.report());
        return next;
      }, raw);
      tree.dispose(parameters);
      return gradients;
    });
    const [{ memberNorms: norms = new Float64Array() }] = (await Promise.all(reports)) as [ClipReport];
    const clippedMembers = this.#measure ? undefined : Array.from(norms, (norm: number) => norm > this.#bound);
    return { losses: await losses, norms, clipped: clippedMembers };
  }

  examine(exam: Exam): Promise<Grades> {
    return this.#networks.examine(exam);
  }

  dispose(): void {
    this.#clip.destroy();
    this.#measure?.destroy();
    this.#networks.dispose();
  }
}
