// Trains beside the page: the three runs, and the race if it is asked for. The runs wait while the race trains. A new request for
// either ends the one before.

import { CellTraining } from "../../bench/experiment/cell.ts";
import { seeds } from "../../bench/experiment/plan.ts";
import { chooseBackend, type Requested } from "../../bench/training/backend.ts";
import { Digits } from "../../bench/training/digits.ts";
import { compile, type Exam } from "../../bench/training/networks.ts";
import { uploadSequence } from "../../bench/training/rnn.ts";
import { type Reading, type RunName, runNames, stepCount } from "./history.ts";
import { type MethodName, methods } from "./methods.ts";
import { Network } from "./network.ts";
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
  | { ready: { badge: string } }
  | { compiling: true }
  | { begun: true }
  | { readings: Reading[] }
  | { race: RaceReport }
  | { finished: true }
  | { failed: string; isLost: boolean };

/** The norms are read at each exam at the latest, so no more steps are kept. */
const stepsPerExam = 25;
/** So many steps are queued before the oldest one's loss is awaited: the device never idles, and a pause is prompt. */
const queueLength = 3;
/** The page draws no more often. In milliseconds. */
const readingInterval = 40;

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
  send({ ready: { badge: backend.badge } });
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
  const network = (name: MethodName, limit: number) =>
    new Network(digits, { seed, learningRate: rate }, methods[name](limit), stepsPerExam);
  const runs: Record<RunName, Network> = {
    none: network("none", bound),
    value: network("value", value),
    chosen: network(method, bound),
  };
  const queue: Promise<unknown>[] = [];
  let reading: Promise<void> = Promise.resolve();
  let lastRead = performance.now();
  send({ begun: true });
  try {
    for (let step = 1; step <= stepCount && (await isWanted()); step++) {
      const alive = runNames.filter((name) => !runs[name].hasExploded);
      queue.push(Promise.all(alive.map((name) => runs[name].step())));
      if (queue.length >= queueLength) await queue.shift();
      // The last step has an exam.
      const isExam = step % stepsPerExam === 0;
      if (!isExam && performance.now() - lastRead < readingInterval) continue;
      await reading;
      lastRead = performance.now();
      reading = sendReadings(alive.map((name) => readingOf(name, runs[name], isExam)));
    }
    await reading;
    if (await isWanted()) send({ finished: true });
  } finally {
    await Promise.allSettled([...queue, reading]);
    for (const name of runNames) runs[name].dispose();
  }
}

async function sendReadings(readings: Promise<Reading>[]): Promise<void> {
  send({ readings: await Promise.all(readings) });
}

async function readingOf(run: RunName, network: Network, isExam: boolean): Promise<Reading> {
  const [steps, grades] = await Promise.all([network.read(), isExam ? network.examine(exam) : undefined]);
  const [accuracy = 0] = grades?.accuracy ?? [];
  return { run, ...steps, exam: grades && { accuracy, guesses: grades.guesses.slice(0, 12) } };
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
