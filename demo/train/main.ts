// The page's wiring. For tests and the curious, `gradclipDemo` in the console holds the numbers behind the curves:
// gradclipDemo.histories.chosen.loss and so on, one entry a step, null where a number was not finite.

import { Digits } from "../../bench/training/digits.ts";
import { requestedBackend } from "../shared/address.ts";
import { addCopyButtons } from "../shared/code.ts";
import { markPreset } from "../shared/presets.ts";
import { explainTerms } from "../shared/terms.ts";
import { byId } from "../shared/text.ts";
import { trustOwnWorkers } from "../shared/trusted.ts";
import { choiceOf } from "./choices.ts";
import { Curves } from "./curves.ts";
import { loadExperiment, showExperiment } from "./experiment.ts";
import { Guesses } from "./guesses.ts";
import { emptyHistories, type Histories, note, runNames, stepCount } from "./history.ts";
import { Race } from "./race.ts";
import { showRun } from "./readout.ts";
import { connectControls, settingsFromAddress } from "./settings.ts";
import { Stopwatch } from "./stopwatch.ts";
import type { Answer, Request } from "./worker.ts";

declare global {
  var gradclipDemo: { histories: Histories } | undefined;
}

/** With reduced motion the curves update once a second. */
const calmInterval = 1000;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

const pauseButton = byId<HTMLButtonElement>("pause");
const restartButton = byId<HTMLButtonElement>("restart");

let settings = settingsFromAddress();
let histories = emptyHistories();
let guesses: Guesses | undefined;
let hoveredStep: number | undefined;
let state: State = "loading";
let stateText = "";
let isPaused = false;
let worker: Worker;
let isWorkerReady = false;
let race: Race | undefined;
/** The time in which the runs trained. */
const watch = new Stopwatch();

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
  showsClipping: true,
  rule: boundRule(),
  onHover: hover,
});

/** The bound of the norm in the chart. Other methods bound other norms. */
function boundRule() {
  return settings.method !== "norm" ? undefined : { at: settings.bound, label: `bound ${settings.bound}` };
}

function hover(step: number | undefined): void {
  hoveredStep = step;
  showRuns();
}

function showRuns(): void {
  for (const name of runNames) showRun(name, histories, hoveredStep);
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
  byId<HTMLProgressElement>("progress").value = currentStep() / stepCount;
  showSpeed();
  lossCurves.draw(histories, chance);
  normCurves.draw(histories, boundRule());
  guesses?.draw(histories, choiceOf(settings.method).title);
  showRuns();
  performance.mark("draw");
}

function showSpeed(): void {
  const step = currentStep();
  const pace = (1000 * step) / watch.elapsed;
  const paceText = isPaused ? "" : ` · ${pace.toFixed(pace < 10 ? 1 : 0)} steps/s`;
  byId("speed").textContent = isWaiting() || step === 0 ? "" : `· step ${step} of ${stepCount}${paceText}`;
}

type State = "loading" | "compiling" | "training" | "paused" | "finished" | "failed";

function showState(next: State, text: string): void {
  [state, stateText] = [next, text];
  document.body.dataset.state = state;
  pauseButton.textContent = state === "paused" ? "Resume" : "Pause";
  restartButton.disabled = !["training", "paused", "finished"].includes(state);
  runOrWait();
}

/** The runs wait while the race trains. */
function isWaiting(): boolean {
  return state === "training" && race?.isTraining === true;
}

/** A hidden page waits too, and nobody sees what it says. */
function runOrWait(): void {
  watch.run(state === "training" && !document.hidden && !isWaiting());
  const text = isWaiting() ? "Waiting for the race above" : stateText;
  // The race reports each of its steps. What is said again would be read out again.
  if (byId("state").textContent !== text) byId("state").textContent = text;
  pauseButton.disabled = isWaiting() || (state !== "training" && state !== "paused");
  showSpeed();
}

function ask(request: Request): void {
  worker.postMessage(request);
}

function restart(): void {
  race?.cancel();
  if (histories.chosen.loss.length > 0) {
    for (const curves of [lossCurves, normCurves]) curves.keep();
    byId("before").hidden = false;
  }
  forget();
  isPaused = false;
  byId("chosen-title").textContent = `Clipped ${choiceOf(settings.method).title}`;
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
    if (race) race.canTrain = true;
    isWorkerReady = true;
    restart();
  } else if ("compiling" in answer) {
    showState("compiling", "Compiling the network…");
  } else if ("begun" in answer) {
    // The earlier runs may have sent their last steps meanwhile.
    forget();
    watch.reset();
    showState("training", "Training");
  } else if ("readings" in answer) {
    for (const reading of answer.readings) note(histories, reading);
    requestFrame();
  } else if ("race" in answer) {
    race?.report(answer.race);
    runOrWait();
  } else if ("finished" in answer) {
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
  race?.cancel();
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
  isWorkerReady = false;
  ask({ hidden: document.hidden });
  ask({ start: backend });
}

connectControls((changed) => {
  settings = changed;
  markPreset(byId("presets"), { ...settings });
  restart();
});
markPreset(byId("presets"), { ...settings });
explainTerms();
addCopyButtons();
trustOwnWorkers();
restartButton.addEventListener("click", restart);
pauseButton.addEventListener("click", () => pause(!isPaused));
// A hidden page does not use the machine.
document.addEventListener("visibilitychange", () => {
  ask({ hidden: document.hidden });
  runOrWait();
});

startWorker(requestedBackend());
loadExperiment().then((summary) => {
  race = new Race(summary, {
    onTrain: (request) => {
      ask({ race: request });
      runOrWait();
    },
    onCancel: () => {
      ask({ cancelRace: true });
      runOrWait();
    },
  });
  race.canTrain = isWorkerReady;
  showExperiment(byId("claims"), summary);
});
guesses = new Guesses(byId<HTMLTableElement>("guesses"), await Digits.load());
