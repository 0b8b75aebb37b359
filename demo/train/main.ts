// The page's wiring. For tests and the curious, `gradclipDemo` in the console holds the numbers behind the curves:
// gradclipDemo.histories.chosen.loss and so on, one entry a step, null where a number was not finite.

import clippingSource from "../../bench/training/clipping.ts?raw";
import { Digits } from "../../bench/training/digits.ts";
import { requestedBackend } from "../shared/address.ts";
import { showCode } from "../shared/code.ts";
import { byId } from "../shared/text.ts";
import { Cells } from "./cells.ts";
import { choices } from "./choices.ts";
import { Curves } from "./curves.ts";
import { showExperiment } from "./experiment.ts";
import { Guesses } from "./guesses.ts";
import { emptyHistories, type Histories, note, runNames, stepCount } from "./history.ts";
import { showRun } from "./readout.ts";
import { connectControls, settingsFromAddress } from "./settings.ts";
import type { Answer, Request } from "./worker.ts";

declare global {
  var gradclipDemo: { histories: Histories } | undefined;
}

const ensembleSize = { seeds: 6, steps: 300 };
/** With reduced motion the curves update once a second. */
const calmInterval = 1000;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

const pauseButton = byId<HTMLButtonElement>("pause");
const restartButton = byId<HTMLButtonElement>("restart");
const ensembleButton = byId<HTMLButtonElement>("ensemble-start");
const cancelButton = byId<HTMLButtonElement>("ensemble-cancel");

let settings = settingsFromAddress();
let histories = emptyHistories();
let guesses: Guesses | undefined;
let hoveredStep: number | undefined;
let startedAt = 0;
let isPaused = false;
let worker: Worker;

const chance = { at: Math.log(10), label: "chance" };
const lossCurves = new Curves(byId("loss-curves"), {
  quantity: "loss",
  stepCount,
  limits: { lowest: 2.6, highest: 4 },
  isLogarithmic: false,
  rule: chance,
  onHover: hover,
});
const normCurves = new Curves(byId("norm-curves"), {
  quantity: "norm",
  stepCount,
  limits: { lowest: 0.5, highest: 1e4 },
  isLogarithmic: true,
  rule: boundRule(),
  onHover: hover,
});
const cells = new Cells(byId("ensemble-cells"), ensembleSize.seeds);

/** The bound of the norm in the chart. Other methods bound other norms. */
function boundRule() {
  return settings.method !== "norm" ? undefined : { at: settings.bound, label: `bound ${settings.bound}` };
}

function hover(step: number | undefined): void {
  hoveredStep = step;
  showRuns();
}

function showRuns(): void {
  for (const name of runNames) showRun(name, histories[name], hoveredStep);
}

function currentStep(): number {
  return Math.max(...runNames.map((name) => histories[name].loss.length));
}

let lastDrawn = 0;
let isFrameRequested = false;
function requestFrame(): void {
  if (isFrameRequested) return;
  isFrameRequested = true;
  const wait = reducedMotion.matches ? calmInterval - (performance.now() - lastDrawn) : 0;
  if (wait > 0) setTimeout(() => requestAnimationFrame(draw), wait);
  else requestAnimationFrame(draw);
}

function draw(): void {
  isFrameRequested = false;
  lastDrawn = performance.now();
  const step = currentStep();
  byId<HTMLProgressElement>("progress").value = step / stepCount;
  const pace = (1000 * step) / (lastDrawn - startedAt);
  byId("speed").textContent =
    `· step ${step} of ${stepCount}${isPaused ? "" : ` · ${pace.toFixed(pace < 10 ? 1 : 0)} steps/s`}`;
  lossCurves.draw(histories, chance);
  normCurves.draw(histories, boundRule());
  guesses?.draw(histories);
  showRuns();
  performance.mark("draw");
}

type State = "loading" | "compiling" | "training" | "paused" | "finished" | "ensemble" | "failed";

function showState(state: State, text: string): void {
  document.body.dataset.state = state;
  byId("state").textContent = text;
  pauseButton.disabled = state !== "training" && state !== "paused";
  pauseButton.textContent = state === "paused" ? "Resume" : "Pause";
  const isIdle = state === "training" || state === "paused" || state === "finished" || state === "ensemble";
  restartButton.disabled = !isIdle;
  ensembleButton.disabled = !isIdle || state === "ensemble";
  cancelButton.disabled = state !== "ensemble";
}

function ask(request: Request): void {
  worker.postMessage(request);
}

function restart(): void {
  forget();
  isPaused = false;
  const label = choices.find(({ name }) => name === settings.method)?.label.split(":")[0] ?? "";
  byId("chosen-title").textContent = settings.method === "norm" ? "Clipped by norm" : label;
  ask({ train: settings });
}

function forget(): void {
  histories = emptyHistories();
  globalThis.gradclipDemo = { histories };
  byId("speed").textContent = "";
}

function pause(wanted: boolean): void {
  isPaused = wanted;
  ask({ pause: wanted });
  showState(wanted ? "paused" : "training", wanted ? "Paused" : "Training");
}

function receive(answer: Answer): void {
  if ("ready" in answer) {
    byId("backend").textContent = answer.ready.badge;
    showLines(answer.ready.isOnGpu);
    restart();
  } else if ("compiling" in answer) {
    showState("compiling", "Compiling the network…");
  } else if ("begun" in answer) {
    startedAt = performance.now();
    // The earlier runs may have sent their last steps meanwhile.
    if (answer.begun === "train") forget();
    showState(
      answer.begun === "train" ? "training" : "ensemble",
      answer.begun === "train" ? "Training" : "Ensemble runs",
    );
  } else if ("reports" in answer) {
    for (const report of answer.reports) note(histories, report);
    requestFrame();
  } else if ("ensemble" in answer) {
    const { step, steps } = answer.ensemble;
    byId<HTMLProgressElement>("ensemble-progress").value = step / steps;
    const left = ((performance.now() - startedAt) / step) * (steps - step);
    byId("ensemble-state").textContent = `step ${step} of ${steps}, ${Math.ceil(left / 1000)} s to go`;
    cells.draw(answer.ensemble);
  } else if ("finished" in answer) {
    if (answer.finished === "ensemble") byId("ensemble-state").textContent = "Finished";
    showState("finished", "Finished");
  } else {
    stop(answer.failed, answer.isLost);
  }
}

/** After the GPU is lost, training starts again on the CPU. */
function stop(message: string, isLost: boolean): void {
  if (!isLost) {
    console.error(message);
    showState("failed", `Stopped: ${message}`);
    return;
  }
  const step = currentStep();
  worker.terminate();
  byId("notice").textContent =
    `The GPU was lost at step ${step}. Training starts again on the CPU; reload to try the GPU again.`;
  startWorker("cpu");
}

function startWorker(backend: "auto" | "webgpu" | "cpu"): void {
  worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => receive(data));
  worker.addEventListener("error", ({ message }) => stop(message || "the worker could not start", false));
  showState("loading", "Starting");
  ask({ start: backend });
}

function showLines(isOnGpu: boolean): void {
  // The page runs gradclip's source beside it; a reader has the package.
  const source = clippingSource
    .replace("../../src/adapters/jax.ts", "gradclip/jax")
    .replace("../../src/index.ts", "gradclip")
    .trimEnd();
  showCode(byId("code"), source);
  byId("code-caption").textContent = isOnGpu
    ? "The file that this page runs between gradient and update: everything stays on the GPU, and nothing is waited for."
    : "The file that this page runs between gradient and update. With WebGPU the same calls work on GPU buffers.";
}

connectControls((changed) => {
  settings = changed;
  restart();
});
restartButton.addEventListener("click", restart);
pauseButton.addEventListener("click", () => pause(!isPaused));
ensembleButton.addEventListener("click", () => {
  cells.clear();
  ask({ ensemble: { settings, ...ensembleSize } });
});
cancelButton.addEventListener("click", () => {
  ask({ cancel: true });
  byId("ensemble-state").textContent = "Cancelled";
  showState("finished", "Cancelled");
});
// A hidden page does not use the machine.
document.addEventListener("visibilitychange", () => {
  if (!isPaused) ask({ pause: document.hidden });
});

startWorker(requestedBackend());
showExperiment(byId("claims"));
guesses = new Guesses(byId<HTMLTableElement>("guesses"), await Digits.load());
