// The page's wiring. For tests and the curious, `gradclipDemo` in the console holds the numbers behind the curves:
// gradclipDemo.histories.clipped.loss and so on, one entry a step, null where a number was not finite.

import { Digits } from "../digits.ts";
import { showCode } from "../shared/code.ts";
import { chooseBackend, type Requested } from "./backend.ts";
import clipOnCpuSource from "./clipOnCpu.ts?raw";
import clipOnGpuSource from "./clipOnGpu.ts?raw";
import { batchSize, type Comparison, type History, type RunName, stepCount } from "./comparison.ts";
import { Curves } from "./curves.ts";
import { Guesses } from "./guesses.ts";
import { showRun } from "./readout.ts";
import { compile, uploadSequence } from "./rnn.ts";
import { connectControls, readAddress } from "./settings.ts";
import { nextFrame, Trainer, type TrainingState } from "./trainer.ts";

declare global {
  var gradclipDemo: { histories: Record<RunName, History> } | undefined;
}

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const pauseButton = element<HTMLButtonElement>("pause");
const restartButton = element<HTMLButtonElement>("restart");
const progress = element<HTMLProgressElement>("progress");
const speed = element("speed");

let settings = readAddress();
let hoveredStep: number | undefined;
let guesses: Guesses | undefined;

const lossCurves = new Curves(element("loss-curves"), {
  quantity: "loss",
  stepCount,
  limits: { lowest: 2.6, highest: 4 },
  isLogarithmic: false,
  rule: { at: Math.log(10), label: "chance" },
  onHover: hover,
});
const normCurves = new Curves(element("norm-curves"), {
  quantity: "norm",
  stepCount,
  limits: { lowest: 0.5, highest: 1e4 },
  isLogarithmic: true,
  rule: boundRule(),
  onHover: hover,
});

function boundRule() {
  return { at: settings.bound, label: `bound ${settings.bound}` };
}

function hover(step: number | undefined): void {
  hoveredStep = step;
  showRuns();
}

function showRuns(): void {
  if (!globalThis.gradclipDemo) return;
  const { clipped, unclipped } = globalThis.gradclipDemo.histories;
  showRun("clipped", clipped, hoveredStep);
  showRun("unclipped", unclipped, hoveredStep);
}

function draw({ histories, step }: Comparison, stepsPerSecond: number): void {
  globalThis.gradclipDemo = { histories };
  progress.value = step / stepCount;
  speed.textContent = `· step ${step} of ${stepCount} · ${stepsPerSecond.toFixed(stepsPerSecond < 10 ? 1 : 0)} steps/s`;
  lossCurves.draw(histories);
  normCurves.draw(histories, boundRule());
  guesses?.draw(histories);
  showRuns();
}

function showState(state: "compiling" | "failed" | TrainingState, text: string): void {
  document.body.dataset.state = state;
  element("state").textContent = text;
  pauseButton.disabled = state !== "training" && state !== "paused";
  pauseButton.textContent = state === "paused" ? "Resume" : "Pause";
  restartButton.disabled = state === "compiling" || state === "failed";
}

const stateTexts = { training: "Training", paused: "Paused", finished: "Finished" };

function fail(error: unknown): void {
  console.error(error);
  showState("failed", `Stopped: ${error instanceof Error ? error.message : error}`);
}

function showLines(isOnGpu: boolean): void {
  // The page runs gradclip's source beside it; a reader has the package.
  const source = (isOnGpu ? clipOnGpuSource : clipOnCpuSource).replace("../../src/index.ts", "gradclip").trimEnd();
  showCode(element("code"), source);
  element("code-caption").textContent = isOnGpu
    ? "The file that this page runs between gradient and update: one encoder and one submit a step, and nothing is waited for."
    : "The file that this page runs between gradient and update. With WebGPU it would be the same calls on GPU buffers.";
}

function requestedBackend(): Requested {
  const requested = new URLSearchParams(location.search).get("backend");
  return requested === "webgpu" || requested === "cpu" ? requested : "auto";
}

async function start(): Promise<void> {
  const [backend, digits] = await Promise.all([chooseBackend(requestedBackend()), Digits.load()]);
  element("backend").textContent = backend.badge;
  guesses = new Guesses(element<HTMLTableElement>("guesses"), digits);
  showLines(backend.device !== undefined);
  backend.device?.lost.then(({ message }) => fail(`the GPU was lost, reload to go on. ${message}`));

  showState("compiling", "Compiling the network…");
  await nextFrame();
  await nextFrame();
  const exam = { inputs: uploadSequence(digits.heldOut()), labels: digits.heldOutLabels() };
  const batch = digits.draw(batchSize, () => 0);
  const gradients = await compile(batch, exam.inputs);

  const trainer = new Trainer(
    { backend, digits, exam, gradients },
    {
      onState: (state) => showState(state, stateTexts[state]),
      onFrame: draw,
      onError: fail,
    },
  );
  connectControls(element<HTMLFormElement>("controls"), (changed) => {
    settings = changed;
    trainer.restart(settings).catch(fail);
  });
  restartButton.addEventListener("click", () => trainer.restart(settings).catch(fail));
  pauseButton.addEventListener("click", () => {
    if (document.body.dataset.state === "paused") trainer.resume();
    else trainer.pause();
  });
  settings = readAddress();
  await trainer.restart(settings);
}

start().catch(fail);
