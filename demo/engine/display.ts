// Shows a run: numbers, charts, the first layer's weights, and the network's answers.

import type { Digits } from "../../bench/training/digits.ts";
import { byId, written } from "../shared/text.ts";
import { kernelsOf, showKernels } from "./anatomy.ts";
import { heldOutBatch } from "./batch.ts";
import { Chart } from "./charts.ts";
import { readFloats } from "./kernel.ts";
import { Pad } from "./pad.ts";
import { likeliest, Reader } from "./reader.ts";
import type { Trainer } from "./trainer.ts";
import { type Curve, exampleCount, type Reading, type Training } from "./training.ts";
import { Units } from "./units.ts";

const recentSteps = 100;
/** Flags of a step, as in gradclip's record. */
const [clipped, skipped] = [1, 2];

export class Display {
  readonly #trainer: Trainer;
  readonly #digits: Digits;
  readonly #drawn: Reader;
  readonly #exam: Reader;
  readonly #pad: Pad;
  readonly #units = new Units(byId<HTMLCanvasElement>("units"));
  readonly #lossChart = new Chart(byId("loss-chart"), { least: [0, 2.6], most: 3.5 });
  readonly #normChart = new Chart(byId("norm-chart"), { least: [0.1, 10], isLogarithmic: true });
  #digit = 0;

  private constructor(
    trainer: Trainer,
    digits: Digits,
    drawn: Reader,
    exam: Reader,
    onError: (error: unknown) => void,
  ) {
    this.#trainer = trainer;
    this.#digits = digits;
    this.#drawn = drawn;
    this.#exam = exam;
    this.#pad = new Pad(byId<HTMLCanvasElement>("pad"), () => void this.#readDrawing().catch(onError));
    byId("clear").addEventListener("click", () => this.#pad.clear());
    byId("another").addEventListener("click", () => this.showDigit());
  }

  static async create(trainer: Trainer, digits: Digits, onError: (error: unknown) => void): Promise<Display> {
    const counts = [1, digits.heldOutLabels().length];
    const [drawn, exam] = await Promise.all(counts.map((count) => Reader.create(trainer, count)));
    showAnatomy(trainer);
    return new Display(trainer, digits, drawn as Reader, exam as Reader, onError);
  }

  /** Puts the next held-out digit on the pad. */
  showDigit(): void {
    this.#pad.show(this.#digits.heldOutImage(this.#digit++ % this.#digits.heldOutLabels().length));
  }

  async show({ readings, curve, step, initial: [initial] }: Training, steps: number): Promise<void> {
    showReadings(readings, curve);
    byId<HTMLProgressElement>("progress").value = step / steps;
    write("speed", `· step ${step} of ${steps}`);
    const faults = readings.filter(({ fault }) => fault !== undefined);
    const losses = { steps: readings.map(({ step }) => step), values: readings.map(({ loss }) => loss) };
    this.#lossChart.draw(losses, faults, steps);
    this.#normChart.draw({ steps: curve.steps, values: curve.norms, bounds: curve.bounds }, faults, steps);
    const { device, weights } = this.#trainer;
    if (initial) this.#units.draw(await readFloats(device, weights[0] as GPUBuffer), initial);
    await this.#readDrawing();
  }

  async examine(): Promise<void> {
    const labels = this.#digits.heldOutLabels();
    const answers = await this.#exam.read(heldOutBatch(this.#digits).inputs);
    const right = answers.filter((probabilities, i) => likeliest(probabilities) === labels[i]).length;
    write("accuracy", `${Math.round((100 * right) / labels.length)} %`);
  }

  async #readDrawing(): Promise<void> {
    const [probabilities] = await this.#drawn.read(this.#pad.levels);
    if (probabilities) showAnswer(probabilities);
  }
}

function showAnatomy(trainer: Trainer): void {
  const kernels = kernelsOf(trainer);
  showKernels(byId<HTMLOListElement>("kernels"), kernels);
  const bytes = trainer.forward.inputs.size + trainer.backward.targets.size;
  const added = kernels.filter((kernel) => kernel.startsWith("gradclip ")).length;
  byId("costs").textContent =
    `One step: ${kernels.length} dispatches, ${added} of them gradclip's, in 1 pass and 1 submit. ` +
    `${bytes.toLocaleString("en")} bytes go to the GPU, the batch of ${exampleCount} digits; the clip adds none, and none come back.`;
}

export function write(id: string, text: string): void {
  const target = byId(id);
  if (target.textContent !== text) target.textContent = text;
}

function showReadings(readings: readonly Reading[], { norms, flags, bounds }: Curve): void {
  const latest = readings.at(-1);
  if (!latest) return;
  const recent = flags.slice(-recentSteps);
  write("loss", written(latest.loss));
  write("norm", written(norms.at(-1) ?? 0));
  write("clipped", `${Math.round((100 * countWith(clipped, recent)) / recent.length)} %`);
  write("skipped", String(countWith(skipped, flags)));
  const fault = readings.filter((reading) => reading.fault !== undefined).at(-1);
  const at = (fault?.step ?? 0) - 1;
  write("fault", fault ? sentenceOn(fault, norms[at] ?? 0, bounds[at] ?? 0) : "");
}

function countWith(flag: number, flags: readonly number[]): number {
  return flags.filter((all) => (all & flag) !== 0).length;
}

function sentenceOn({ fault, step, nonFinite }: Reading, norm: number, bound: number): string {
  if (fault === "nan") {
    return `Step ${step}: ${nonFinite.toLocaleString("en")} gradients were not finite. The step was skipped on the GPU: weights, moments and Adam's step count stayed as they were.`;
  }
  const size = `Step ${step}: the gradient's norm was ${written(norm)}`;
  return norm > bound
    ? `${size}, and ${written(bound)} is what reached the optimizer.`
    : `${size}, and all of it reached the optimizer. Watch the loss of the steps that follow.`;
}

function showAnswer(probabilities: readonly number[]): void {
  const best = likeliest(probabilities);
  for (const [digit, item] of [...byId("answers").children].entries()) {
    const share = probabilities[digit] ?? 0;
    (item as HTMLElement).style.setProperty("--share", share.toFixed(3));
    item.classList.toggle("best", digit === best);
  }
  write("answer", `It reads ${best}, and is ${Math.round(100 * (probabilities[best] ?? 0))} % sure.`);
}
