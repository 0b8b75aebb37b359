import { tree } from "@jax-js/jax";
import { clipped, clippingBy } from "../../bench/training/clipping.ts";
import type { Digits } from "../../bench/training/digits.ts";
import { type Exam, type Grades, type Member, Networks } from "../../bench/training/networks.ts";
import { type ClipMethod, clipByGlobalNorm } from "../../src/index.ts";

/** Changes nothing. */
const measuring = clipByGlobalNorm(Infinity);

/** In a step's flags. */
const clippedFlag = 1;

/** Of the steps since the last reading, one entry each. */
export interface Steps {
  losses: number[];
  /** Before clipping; NaN or infinite if a gradient is. */
  norms: number[];
  clipped: boolean[];
}

/** One network. Its norms stay on the device until a reading asks for them: no step has a report. */
export class Network {
  hasExploded = false;
  readonly #networks: Networks;
  readonly #clip: ReturnType<typeof clippingBy>;
  readonly #measure: ReturnType<typeof clippingBy> | undefined;
  #losses: Promise<number>[] = [];

  /** Without a method the norms are only measured. `history` is the most steps between two readings. */
  constructor(digits: Digits, member: Member, method: ClipMethod | undefined, history: number) {
    this.#networks = new Networks(digits, [member]);
    this.#clip = clippingBy(method ?? measuring, history);
    // What it calls its norm is the largest magnitude.
    if (method?.name === "clipByValue") this.#measure = clippingBy(measuring, history);
  }

  /** Queues a step. Resolves when the device has taken it. */
  async step(): Promise<void> {
    const losses = this.#networks.step((raw, parameters) => {
      const gradients = this.#measure ? clipped(this.#measure, raw, tree.ref(parameters)) : raw;
      return clipped(this.#clip, gradients, parameters);
    });
    const loss = losses.then((values) => values[0] as number);
    this.#losses.push(loss);
    await loss;
  }

  /** The norms come in one copy, or in two for a method that has none. Nothing waits for a reading. */
  async read(): Promise<Steps> {
    const history = this.#clip.history();
    const [{ flags }, { norms }, losses] = await Promise.all([
      history,
      this.#measure?.history() ?? history,
      Promise.all(this.#losses.splice(0)),
    ]);
    if (![...losses, ...norms].every(Number.isFinite)) this.hasExploded = true;
    return { losses, norms: [...norms], clipped: Array.from(flags, (flag) => (flag & clippedFlag) !== 0) };
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
