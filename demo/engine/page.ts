// The page's wiring. For tests and the curious, `gradclipEngine` in the console holds what the page shows, and the trainer.

import { createClipper } from "gradclip";
import { Digits } from "../digits.ts";
import { showCode } from "../shared/code.ts";
import { defaultSettings } from "./adamw.ts";
// The file as it is: ?raw would give what is shipped, without its comments.
import optimizerAddress from "./adamw.wgsl?url&no-inline";
import { kernelsOf, showKernels } from "./anatomy.ts";
import { heldOutBatch } from "./batch.ts";
import { Chart } from "./charts.ts";
import { connectBound, readAddress } from "./controls.ts";
import { readFloats } from "./kernel.ts";
import { Pad } from "./pad.ts";
import { likeliest, Reader } from "./reader.ts";
import { createTrainer, type Trainer } from "./trainer.ts";
import trainerSource from "./trainer.ts?raw";
import { exampleCount, type Reading, Training, type TrainingState } from "./training.ts";
import { Units } from "./units.ts";

declare global {
  var gradclipEngine: { readings: readonly Reading[]; weights(): Promise<number[][]> } | undefined;
}

const readingsPerExam = 10;
const recentReadings = 50;
/** Where less motion is wanted, the page moves on once a second. */
const calmInterval = 1000;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const pauseButton = element<HTMLButtonElement>("pause");
const faultButtons = { wild: element<HTMLButtonElement>("wild"), nan: element<HTMLButtonElement>("nan") };

let run = readAddress();

function showState(state: "unsupported" | "failed" | TrainingState, text: string): void {
  document.body.dataset.state = state;
  element("state").textContent = text;
  const isAlive = state === "training" || state === "paused";
  for (const button of [pauseButton, ...Object.values(faultButtons)]) button.disabled = !isAlive;
  pauseButton.textContent = state === "paused" ? "Resume" : "Pause";
  element<HTMLButtonElement>("restart").disabled = !isAlive && state !== "finished";
}

const stateTexts = { training: "Training", paused: "Paused", finished: "Finished" };

function fail(error: unknown): void {
  console.error(error);
  showState("failed", `Stopped: ${error instanceof Error ? error.message : error}`);
}

/** The engine is nothing but WGSL: there is no other way to run it. */
async function requestDevice(): Promise<GPUDevice | undefined> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (adapter) return adapter.requestDevice();
  const lack = navigator.gpu ? "offers no graphics adapter to WebGPU" : "has no WebGPU";
  element("backend").textContent = "no WebGPU";
  element("unsupported").textContent =
    `This engine is nothing but WebGPU shaders, and this browser ${lack}: it cannot run here. Its code is below.`;
  showState("unsupported", "");
  return undefined;
}

function adapterName({ adapterInfo: { description, vendor, architecture } }: GPUDevice): string {
  return description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed adapter";
}

async function showSources(): Promise<void> {
  const optimizer = await fetch(optimizerAddress);
  showCode(element("adamw-code"), (await optimizer.text()).trimEnd());
  showCode(element("trainer-code"), trainerSource.trimEnd());
}

function showAnatomy(trainer: Trainer): void {
  const kernels = kernelsOf(trainer);
  showKernels(element<HTMLOListElement>("kernels"), kernels);
  const bytes = trainer.forward.inputs.size + trainer.backward.targets.size;
  const added = kernels.filter((kernel) => kernel.startsWith("gradclip ")).length;
  element("costs").textContent =
    `One step: ${kernels.length} dispatches, ${added} of them gradclip's, in 1 pass and 1 submit. ` +
    `${bytes.toLocaleString("en")} bytes go to the GPU, the batch of ${exampleCount} digits; the clip adds none, and none come back.`;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value >= 1e5 || (value !== 0 && value < 1e-3)) return value.toExponential(1);
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}

function write(id: string, text: string): void {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
}

function showReadings(readings: readonly Reading[]): void {
  const latest = readings.at(-1);
  if (!latest) return;
  const recent = readings.slice(-recentReadings);
  const steps = latest.step - (readings.at(-recentReadings - 1)?.step ?? 0);
  const clippedSteps = recent.reduce((sum, reading) => sum + reading.clippedSteps, 0);
  const skipped = readings.reduce((sum, { skippedSteps }) => sum + skippedSteps, 0);
  write("loss", number(latest.loss));
  write("norm", number(latest.norm));
  write("clipped", `${Math.round((100 * clippedSteps) / steps)} %`);
  write("skipped", String(skipped));
  const fault = readings.filter((reading) => reading.fault !== undefined).at(-1);
  write("fault", fault ? sentenceOn(fault) : "");
}

function sentenceOn({ fault, step, norm, bound, nonFinite, clippedSteps }: Reading): string {
  if (fault === "nan") {
    return `Step ${step}: ${nonFinite.toLocaleString("en")} gradients were not finite. The step was skipped on the GPU: weights, moments and Adam's step count stayed as they were.`;
  }
  const size = `Step ${step}: the gradient's norm was ${number(norm)}`;
  return clippedSteps > 0
    ? `${size}, and ${bound} is what reached the optimizer.`
    : `${size}, and all of it reached the optimizer. Watch the loss of the steps that follow.`;
}

function showAnswer(probabilities: readonly number[]): void {
  const best = likeliest(probabilities);
  for (const [digit, item] of [...element("answers").children].entries()) {
    const share = probabilities[digit] ?? 0;
    (item as HTMLElement).style.setProperty("--share", share.toFixed(3));
    item.classList.toggle("best", digit === best);
  }
  write("answer", `It reads ${best}, and is ${Math.round(100 * (probabilities[best] ?? 0))} % sure.`);
}

async function start(): Promise<void> {
  await showSources();
  const device = await requestDevice();
  if (!device) return;
  element("backend").textContent = `WebGPU · ${adapterName(device)}`;
  device.lost.then(({ message }) => fail(`the GPU was lost, reload to go on. ${message}`));
  const clipper = await createClipper({ device });
  const options = { exampleCount, maxNorm: run.bound, settings: defaultSettings };
  const [digits, trainer] = await Promise.all([Digits.load(), createTrainer(device, clipper, options)]);
  const heldOut = heldOutBatch(digits).inputs;
  const labels = digits.heldOutLabels();
  const [drawnReader, examReader] = await Promise.all([
    Reader.create(trainer, 1),
    Reader.create(trainer, labels.length),
  ]);
  showAnatomy(trainer);

  const lossChart = new Chart(element("loss-chart"), { quantity: "loss", least: [0, 2.6], most: 3.5 });
  const normChart = new Chart(element("norm-chart"), {
    quantity: "norm",
    least: [0.1, 10],
    most: 1e6,
    isLogarithmic: true,
  });
  const units = new Units(element<HTMLCanvasElement>("units"));
  const readDrawing = async () => {
    const [probabilities] = await drawnReader.read(pad.levels);
    if (probabilities) showAnswer(probabilities);
  };
  const pad = new Pad(element<HTMLCanvasElement>("pad"), () => void readDrawing().catch(fail));

  let calmUntil = 0;
  const show = async () => {
    showReadings(training.readings);
    element<HTMLProgressElement>("progress").value = training.step / run.steps;
    element("speed").textContent = `· step ${training.step} of ${run.steps}`;
    lossChart.draw(training.readings, run.steps);
    normChart.draw(training.readings, run.steps);
    const [initial] = training.initial;
    if (initial) units.draw(await readFloats(device, trainer.weights[0] as GPUBuffer), initial);
    await readDrawing();
  };
  const training = new Training(trainer, digits, {
    onState: (state) => {
      showState(state, stateTexts[state]);
      show().catch(fail);
    },
    onReading: async () => {
      if (training.readings.length % readingsPerExam === 0) {
        const answers = await examReader.read(heldOut);
        const right = answers.filter((probabilities, i) => likeliest(probabilities) === labels[i]).length;
        write("accuracy", `${Math.round((100 * right) / labels.length)} %`);
      }
      if (reducedMotion.matches && performance.now() < calmUntil) return;
      calmUntil = performance.now() + calmInterval;
      await show();
    },
    onError: fail,
  });
  globalThis.gradclipEngine = {
    get readings() {
      return training.readings;
    },
    weights: () => Promise.all(trainer.weights.map(async (buffer) => [...(await readFloats(device, buffer))])),
  };

  let shown = 0;
  const showDigit = () => pad.show(digits.heldOutImage(shown++ % labels.length));
  const showBound = connectBound(element<HTMLInputElement>("bound"), (bound) => training.setBound(bound));
  const restart = () => {
    run = readAddress();
    showBound(run.bound);
    write("accuracy", "–");
    return training.restart(run).catch(fail);
  };
  element("restart").addEventListener("click", restart);
  addEventListener("hashchange", restart);
  pauseButton.addEventListener("click", () => {
    if (document.body.dataset.state === "paused") training.resume();
    else training.pause();
  });
  for (const fault of ["wild", "nan"] as const) {
    faultButtons[fault].addEventListener("click", () => training.spoil(fault));
  }
  element("clear").addEventListener("click", () => pad.clear());
  element("another").addEventListener("click", showDigit);
  await restart();
  showDigit();
}

start().catch(fail);
