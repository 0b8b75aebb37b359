// Trains beside the page: the three runs, and the race if it is asked for. The runs wait while the race trains. A new request for
// either ends the one before.

import { CellTraining } from "../../bench/experiment/cell.ts";
import { seeds } from "../../bench/experiment/plan.ts";
import { chooseBackend, type Requested } from "../../bench/training/backend.ts";
import { Digits } from "../../bench/training/digits.ts";
import { compile, type Exam, type Measured, Networks } from "../../bench/training/networks.ts";
import { uploadSequence } from "../../bench/training/rnn.ts";
import { type RunName, runNames, type StepReport, stepCount } from "./history.ts";
import { type MethodName, methods } from "./methods.ts";
import type { RaceReport, RaceRequest } from "./race.ts";
import type { Settings } from "./settings.ts";

export type Request =
  | { start: Requested }
  | { train: Settings }
  | { race: RaceRequest }
  | { cancelRace: true }
  | { pause: boolean }
  | { hidden: boolean };

export type Answer =
  | { ready: { badge: string; isOnGpu: boolean } }
  | { compiling: true }
  | { begun: true }
  | { reports: StepReport[] }
  | { race: RaceReport }
  | { finished: true }
  | { failed: string; isLost: boolean };

const stepsPerExam = 25;
/** So many steps are queued before the oldest one's numbers are awaited: the device never idles, and a pause is prompt. */
const queueLength = 3;
const messageInterval = 40;

const send = (answer: Answer) => postMessage(answer);
let digits: Digits;
let exam: Exam;
const compiled = new Set<number>();
type Job = "runs" | "race";
/** Each job's latest request, and what it does for it. */
const latest: Record<Job, number> = { runs: 0, race: 0 };
const current: Record<Job, Promise<void>> = { runs: Promise.resolve(), race: Promise.resolve() };
let [isPaused, isHidden, isRacing] = [false, false, false];
let waiting: (() => void)[] = [];

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if ("pause" in data) isPaused = data.pause;
  else if ("hidden" in data) isHidden = data.hidden;
  else if ("cancelRace" in data) endRace();
  else handle(data).catch((error) => fail(error instanceof Error ? error.message : String(error), false));
  wake();
});

function wake(): void {
  for (const goOn of waiting) goOn();
  waiting = [];
}

function endRace(): void {
  latest.race++;
  isRacing = false;
}

function fail(message: string, isLost: boolean): void {
  send({ failed: message, isLost });
}

async function handle(request: { start: Requested } | { train: Settings } | { race: RaceRequest }): Promise<void> {
  if ("start" in request) return start(request.start);
  const job = "train" in request ? "runs" : "race";
  const id = ++latest[job];
  if (job === "runs") isPaused = false;
  else isRacing = true;
  wake();
  await current[job].catch(() => {});
  if (id !== latest[job]) return;
  const isWanted = () => mayGoOn(job, id);
  current[job] = "train" in request ? train(request.train, isWanted) : race(request.race, isWanted);
  await current[job];
}

/** Waits as long as the job has to wait. False if it is no longer wanted. */
async function mayGoOn(job: Job, id: number): Promise<boolean> {
  while (id === latest[job] && (isHidden || (job === "runs" && (isPaused || isRacing)))) {
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  // Lets messages arrive.
  await new Promise((resolve) => setTimeout(resolve));
  return id === latest[job];
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
  await compile(count, digits, exam);
  compiled.add(count);
}

type IsWanted = () => Promise<boolean>;

async function train({ rate, bound, value, seed, method }: Settings, isWanted: IsWanted): Promise<void> {
  if (!compiled.has(1)) send({ compiling: true });
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
  send({ begun: true });
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
    if (await isWanted()) send({ finished: true });
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

/** All lanes take each step together. */
async function race({ id, lanes, steps }: RaceRequest, isWanted: IsWanted): Promise<void> {
  await compileFor(seeds.length);
  const trainings = lanes.map(({ plan }) => new CellTraining({ ...plan, steps }, digits, exam));
  try {
    for (let step = 1; step <= steps; step++) {
      if (!(await isWanted())) return;
      await Promise.all(trainings.map((training) => training.advance()));
      const report = lanes.map(({ name }, index) => ({ name, runners: trainings[index]?.outcomes ?? [] }));
      send({ race: { id, step, lanes: report } });
    }
    endRace();
    wake();
  } finally {
    for (const training of trainings) training.dispose();
  }
}
