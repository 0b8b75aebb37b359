// Trains beside the page: the three runs, or the ensemble. It has one job at a time; a new request ends the old one.

import { chooseBackend, type Requested } from "../../bench/training/backend.ts";
import { Digits } from "../../bench/training/digits.ts";
import { compile, type Exam, type Measured, Networks } from "../../bench/training/networks.ts";
import { uploadSequence } from "../../bench/training/rnn.ts";
import { trainEnsemble } from "./ensemble.ts";
import { type EnsembleReport, rates } from "./ensembleReport.ts";
import { type RunName, runNames, type StepReport, stepCount } from "./history.ts";
import { type MethodName, methods } from "./methods.ts";
import type { Settings } from "./settings.ts";

export type Request =
  | { start: Requested }
  | { train: Settings }
  | { ensemble: { settings: Settings; seeds: number; steps: number } }
  | { pause: boolean }
  | { cancel: true };

export type Answer =
  | { ready: { badge: string; isOnGpu: boolean } }
  | { compiling: true }
  | { begun: "train" | "ensemble" }
  | { reports: StepReport[] }
  | { ensemble: EnsembleReport }
  | { finished: "train" | "ensemble" }
  | { failed: string; isLost: boolean };

const stepsPerExam = 25;
/** So many steps are queued before the oldest one's numbers are awaited: the device never idles, and a pause is prompt. */
const queueLength = 3;
const messageInterval = 40;

const send = (answer: Answer) => postMessage(answer);
let digits: Digits;
let exam: Exam;
const compiled = new Set<number>();
let job = 0;
let current: Promise<void> = Promise.resolve();
let isPaused = false;
let resume = () => {};

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if ("pause" in data) {
    isPaused = data.pause;
    resume();
  } else {
    handle(data).catch((error) => fail(error instanceof Error ? error.message : String(error), false));
  }
});

function fail(message: string, isLost: boolean): void {
  send({ failed: message, isLost });
}

async function handle(request: Exclude<Request, { pause: boolean }>): Promise<void> {
  if ("start" in request) return start(request.start);
  const id = ++job;
  isPaused = false;
  resume();
  await current.catch(() => {});
  if (id !== job || "cancel" in request) return;
  const isWanted = async () => {
    while (isPaused && id === job) {
      await new Promise<void>((resolve) => {
        resume = resolve;
      });
    }
    // Lets messages arrive.
    await new Promise((resolve) => setTimeout(resolve));
    return id === job;
  };
  current = "train" in request ? train(request.train, isWanted) : runEnsemble(request.ensemble, isWanted);
  await current;
}

async function start(requested: Requested): Promise<void> {
  const [backend, loaded] = await Promise.all([chooseBackend(requested), Digits.load()]);
  digits = loaded;
  send({ ready: { badge: backend.badge, isOnGpu: backend.device !== undefined } });
  backend.device?.lost.then(({ message }) => fail(message, true));
  exam = { inputs: uploadSequence(digits.heldOut()), labels: digits.heldOutLabels() };
}

async function compileFor(count: number): Promise<void> {
  if (compiled.has(count)) return;
  send({ compiling: true });
  await compile(count, digits, exam);
  compiled.add(count);
}

type IsWanted = () => Promise<boolean>;

async function train({ rate, bound, value, seed, method }: Settings, isWanted: IsWanted): Promise<void> {
  await compileFor(1);
  const networks = (name: MethodName, limit: number) =>
    new Networks(digits, [{ seed, learningRate: rate }], methods[name](limit, 1));
  const runs: Record<RunName, Networks> = {
    none: networks("none", bound),
    value: networks("value", value),
    chosen: networks(method, bound),
  };
  const dead = new Set<RunName>();
  const queue: Promise<StepReport[]>[] = [];
  let pending: StepReport[] = [];
  let sent = performance.now();
  send({ begun: "train" });
  const collect = async () => {
    pending.push(...((await queue.shift()) ?? []));
    for (const { run, loss, norm } of pending) if (!Number.isFinite(loss + norm)) dead.add(run);
    if (performance.now() - sent < messageInterval) return;
    send({ reports: pending });
    [pending, sent] = [[], performance.now()];
  };
  try {
    for (let step = 1; step <= stepCount && (await isWanted()); step++) {
      const names = runNames.filter((name) => !dead.has(name));
      queue.push(Promise.all(names.map((name) => report(name, runs[name], step % stepsPerExam === 0))));
      if (queue.length >= queueLength) await collect();
    }
    while (queue.length > 0) await collect();
    send({ reports: pending });
    if (await isWanted()) send({ finished: "train" });
  } finally {
    await Promise.allSettled(queue);
    for (const name of runNames) runs[name].dispose();
  }
}

async function report(run: RunName, networks: Networks, isExam: boolean): Promise<StepReport> {
  const measuring: Promise<Measured> = networks.step();
  const grading = isExam ? networks.examine(exam) : undefined;
  const { losses, norms, clipped } = await measuring;
  const grades = await grading;
  return {
    run,
    loss: losses[0] as number,
    norm: norms[0] as number,
    clipped: clipped?.[0] ?? false,
    ...(grades && { accuracy: grades.accuracy[0], guesses: grades.guesses.slice(0, 12) }),
  };
}

async function runEnsemble(
  { settings, seeds, steps }: { settings: Settings; seeds: number; steps: number },
  isWanted: IsWanted,
): Promise<void> {
  await compileFor(seeds * rates.length);
  send({ begun: "ensemble" });
  const onReport = (ensemble: EnsembleReport) => send({ ensemble });
  const isWhole = await trainEnsemble({ digits, exam, settings, seeds, steps, isWanted, onReport });
  if (isWhole) send({ finished: "ensemble" });
}
