// The page's wiring. For tests and the curious, `gradclipEngine` in the console holds the readings and the weights.

import { Digits } from "../../bench/training/digits.ts";
import { answerOf } from "../../src/webgpu/ownDevice.ts";
import { addCopyButtons } from "../shared/code.ts";
import { byId } from "../shared/text.ts";
import { defaultSettings } from "./adamw.ts";
import { connectBound, readRun } from "./controls.ts";
import { Display, write } from "./display.ts";
import { readFloats } from "./kernel.ts";
import { type Curve, exampleCount, type Reading, stepsPerReading, Training, type TrainingState } from "./training.ts";

declare global {
  var gradclipEngine: { readings: readonly Reading[]; curve: Curve; weights(): Promise<number[][]> } | undefined;
}

const readingsPerExam = 10;
/** With reduced motion the page updates once a second. */
const calmInterval = 1000;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

const pauseButton = byId<HTMLButtonElement>("pause");
const faultButtons = { wild: byId<HTMLButtonElement>("wild"), nan: byId<HTMLButtonElement>("nan") };

let run = readRun();

function showState(state: "unsupported" | "failed" | "lost" | TrainingState, text: string): void {
  document.body.dataset.state = state;
  byId("state").textContent = text;
  const isAlive = state === "training" || state === "paused";
  for (const button of [pauseButton, ...Object.values(faultButtons)]) button.disabled = !isAlive;
  pauseButton.textContent = state === "paused" ? "Resume" : "Pause";
  byId<HTMLButtonElement>("restart").disabled = !isAlive && state !== "finished" && state !== "lost";
}

const stateTexts = { training: "Training", paused: "Paused", finished: "Finished" };

function fail(error: unknown): void {
  // What fails after a loss fails because of it.
  if (document.body.dataset.state === "lost") return;
  console.error(error);
  const message = error instanceof Error ? error.message : String(error);
  showState("failed", `Stopped: ${message.replace("or use the CPU", "as this engine needs WebGPU")}`);
}

/** The engine is all WGSL and cannot run without a GPU. */
async function requestDevice(): Promise<GPUDevice | undefined> {
  const adapter = navigator.gpu && (await answerOf(navigator.gpu.requestAdapter(), "adapter"));
  if (adapter) return answerOf(adapter.requestDevice(), "device");
  const lack = navigator.gpu ? "offers no graphics adapter to WebGPU" : "has no WebGPU";
  byId("backend").textContent = "no WebGPU";
  byId("unsupported").textContent =
    `This engine is nothing but WebGPU shaders, and this browser ${lack}: it cannot run here. Its code is below.`;
  showState("unsupported", "");
  return undefined;
}

function adapterName({ adapterInfo: { description, vendor, architecture } }: GPUDevice): string {
  return description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed adapter";
}

/** Connects the controls. Returns a function that restarts with the address's settings. */
function connect(training: Training): () => Promise<void> {
  const showBound = connectBound(byId<HTMLInputElement>("bound"), (bound) => training.setBound(bound));
  const restart = () => {
    run = readRun();
    showBound(run.bound);
    write("accuracy", "–");
    return training.restart(run).catch(fail);
  };
  // A page that is loaded anew asks for a device of its own.
  const startAnew = () => (document.body.dataset.state === "lost" ? location.reload() : restart());
  byId("restart").addEventListener("click", startAnew);
  addEventListener("hashchange", startAnew);
  pauseButton.addEventListener("click", () => {
    if (document.body.dataset.state === "paused") training.resume();
    else training.pause();
  });
  for (const fault of ["wild", "nan"] as const) {
    faultButtons[fault].addEventListener("click", () => training.spoil(fault));
  }
  return restart;
}

async function start(): Promise<void> {
  addCopyButtons();
  const device = await requestDevice().catch((error) => {
    write("backend", "no WebGPU");
    throw error;
  });
  if (!device) return;
  write("backend", `WebGPU · ${adapterName(device)}`);
  device.lost.then(() => showState("lost", "The GPU was lost. Restart begins anew, on a new device."));
  // Loaded only to train: the page paints without them.
  const [{ createClipper }, { createTrainer }] = await Promise.all([import("gradclip"), import("./trainer.ts")]);
  const clipper = await createClipper({ device });
  const options = { exampleCount, maxNorm: run.bound, historyLength: stepsPerReading, settings: defaultSettings };
  const [digits, trainer] = await Promise.all([Digits.load(), createTrainer(device, clipper, options)]);
  const display = await Display.create(trainer, digits, fail);

  let calmUntil = 0;
  const training = new Training(trainer, digits, {
    onState: (state) => {
      showState(state, stateTexts[state]);
      display.show(training, run.steps).catch(fail);
    },
    onReading: async () => {
      if (training.readings.length % readingsPerExam === 0) await display.examine();
      if (reducedMotion.matches && performance.now() < calmUntil) return;
      calmUntil = performance.now() + calmInterval;
      await display.show(training, run.steps);
    },
    onError: fail,
  });
  globalThis.gradclipEngine = {
    get readings() {
      return training.readings;
    },
    get curve() {
      return training.curve;
    },
    weights: () => Promise.all(trainer.weights.map(async (buffer) => [...(await readFloats(device, buffer))])),
  };
  const restart = connect(training);
  await restart();
  display.showDigit();
}

start().catch(fail);
