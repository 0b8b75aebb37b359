import { judge, type Truth, type Verdict } from "./reference.ts";
import type { Configuration, Contestant, Entry, Pace, Row, Sample, Timing, Tried } from "./types.ts";
import type { Workload } from "./workloads.ts";

const MOST_STEPS = 200;
const CLEARLY_FASTER = 0.9;

/** A contestant that gave the right answer, in the fastest of its configurations. */
interface Runner {
  readonly contestant: Contestant;
  readonly entry: Entry;
  readonly verdict: Verdict;
  readonly configuration: Configuration;
  readonly sweep: readonly Tried[];
  readonly steps: number;
  /** Of a step, in the best of the first batches. */
  readonly ms: number;
  dispatches?: number;
}

/** How many dispatches some work asks for. */
type Count = (work: () => Promise<unknown>) => Promise<number>;

/** What is told meanwhile. A function that throws ends the competition. */
export interface Listeners {
  /** Before each turn, with the part of the competition that is behind it; it is waited for. */
  readonly onTurn?: (contestant: string, done: number) => void | Promise<void>;
  /** After a contestant's first batches, or its mistake. */
  readonly onRow?: (row: Row) => void;
  readonly count?: Count;
}

/** A configuration that is tried takes about as long as this many turns. */
const TURNS_A_TRY = 4;

/** Verifies all contestants, lets each find its best configuration, then times them in turns. */
export async function compete(
  workload: Workload,
  truth: Truth,
  contestants: readonly Contestant[],
  pace: Pace,
  { onTurn, onRow, count }: Listeners = {},
): Promise<Row[]> {
  const out: Row[] = [];
  const runners: Runner[] = [];
  const tries = contestants.map(({ configurations }) => TURNS_A_TRY * configurations.length);
  const whole = () => runners.filter(({ contestant }) => !contestant.isPart);
  const total = sum(tries) + contestants.length * pace.rounds + contestants.length * pace.latencyRounds;
  let done = 0;
  const turn = async (contestant: string, cost = 1) => {
    await onTurn?.(contestant, Math.min(1, done / total));
    done += cost;
  };
  try {
    for (const [i, contestant] of contestants.entries()) {
      await turn(contestant.name, tries[i]);
      const entered = await enter(contestant, truth, pace);
      const row = rowOf(workload, contestant);
      if ("entry" in entered) {
        runners.push(entered);
        entered.dispatches = await count?.(() => entered.entry.time(1));
        onRow?.({ ...row, ...firstOf(entered) });
      } else {
        out.push({ ...row, ...entered });
        onRow?.({ ...row, ...entered });
      }
    }
    const throughput = await turns(runners, pace.rounds, (runner) => runner.steps, turn);
    const latency = await turns(whole(), pace.latencyRounds, () => 1, turn);
    const timed = runners.map((runner) => ({
      ...rowOf(workload, runner.contestant),
      verdict: "right" as const,
      error: runner.verdict.error,
      configuration: runner.configuration,
      dispatches: runner.dispatches,
      ...(runner.sweep.length > 1 && { sweep: runner.sweep }),
      throughput: throughput.get(runner),
      latency: latency.get(runner),
    }));
    const order = new Map(contestants.map(({ name }, i) => [name, i]));
    const place = (row: Row) => order.get(row.contestant) as number;
    return [...timed, ...out].sort((a, b) => place(a) - place(b));
  } finally {
    for (const { entry } of runners) entry.destroy();
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** What is known after the first batches. */
function firstOf({ verdict: { error }, configuration, dispatches, ms, steps }: Runner) {
  const throughput = { steps, clock: [ms] };
  return { verdict: "right" as const, error, configuration, dispatches, throughput, isPreliminary: true as const };
}

function rowOf(workload: Workload, { name, work, against, bytes, shipped }: Contestant) {
  return { workload: workload.name, contestant: name, work, against, bytes, shipped };
}

/** Tries every configuration. A wrong answer gets no time. */
async function enter(
  contestant: Contestant,
  truth: Truth,
  pace: Pace,
): Promise<Runner | Pick<Row, "verdict" | "error" | "reason">> {
  const sweep: Tried[] = [];
  let best: { entry: Entry; ms: number; runner: Runner } | undefined;
  let mistake: Verdict | undefined;
  try {
    for (const configuration of contestant.configurations) {
      const entry = await contestant.enter(configuration);
      const verdict = judge(contestant.work, await entry.answer(), truth);
      if (!verdict.right) {
        mistake = verdict;
        sweep.push({ configuration });
        entry.destroy();
        continue;
      }
      const { ms, steps } = await warmUp(entry, pace, best?.ms, contestant.mostSteps);
      sweep.push({ configuration, ms });
      // The shipped configuration comes first. A slightly faster one in three batches is noise.
      const most = best?.runner.configuration === contestant.shipped ? CLEARLY_FASTER : 1;
      if (best && ms >= most * best.ms) {
        entry.destroy();
      } else {
        best?.entry.destroy();
        best = { entry, ms, runner: { contestant, entry, verdict, configuration, sweep, steps, ms } };
      }
    }
  } catch (error) {
    best?.entry.destroy();
    return { verdict: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
  if (best) return best.runner;
  return { verdict: "wrong", error: mistake?.error, reason: `off by ${mistake?.error.toPrecision(2)}` };
}

/**
 * Finds how many steps fill a batch, and the best time of three batches, which compares configurations. A configuration that is far
 * behind the best so far, or whose steps are longer than a batch, is not measured further.
 */
async function warmUp(
  entry: Entry,
  { batchMs }: Pace,
  best = Infinity,
  mostSteps = MOST_STEPS,
): Promise<{ ms: number; steps: number }> {
  await entry.time(1);
  const one = await entry.time(1);
  if (timeOf(one) > 2 * batchMs || timeOf(one) > 2 * best) return { ms: timeOf(one), steps: 1 };
  const five = await entry.time(5);
  // The wait for the answer does not grow with the steps and does not count.
  const growth = five.gpu || (5 * five.clock - one.clock) / 4;
  const stepsFor = (ms: number) => (ms > 0 ? Math.min(mostSteps, Math.max(1, Math.ceil(batchMs / ms))) : mostSteps);
  let steps = stepsFor(growth);
  let ms = Infinity;
  for (let batch = 0; batch < 3; batch++) {
    const found = timeOf(await entry.time(steps));
    // A coarse clock says little about five steps: a batch that came out far too short did not count.
    if (found * steps < batchMs / 2 && steps < mostSteps) steps = Math.max(steps + 1, stepsFor(found));
    else ms = Math.min(ms, found);
  }
  return { ms: ms < Infinity ? ms : timeOf(await entry.time(steps)), steps };
}

function timeOf({ clock, gpu }: Sample): number {
  return gpu || clock;
}

/** Each runner runs once in every round. Another one begins each round: no runner always follows the same one. */
async function turns(
  runners: readonly Runner[],
  rounds: number,
  stepsOf: (runner: Runner) => number,
  onTurn: (contestant: string) => Promise<void>,
): Promise<Map<Runner, Timing>> {
  const samples = new Map(runners.map((runner) => [runner, [] as Sample[]]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < runners.length; turn++) {
      const runner = runners[(round + turn) % runners.length] as Runner;
      await onTurn(runner.contestant.name);
      samples.get(runner)?.push(await runner.entry.time(stepsOf(runner)));
    }
  }
  return new Map(
    [...samples].flatMap(([runner, list]): [Runner, Timing][] => {
      if (list.length === 0) return [];
      const gpu = list.flatMap((sample) => sample.gpu ?? []);
      const clock = list.map((sample) => sample.clock);
      return [[runner, { steps: stepsOf(runner), clock, ...(gpu.length === list.length && { gpu }) }]];
    }),
  );
}
