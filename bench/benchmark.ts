import { createClipper } from "../src/index.ts";
import { contextOf, type DeviceContext } from "../src/webgpu/device.ts";
import { isSoftware } from "../src/webgpu/grid.ts";
import { answerOf } from "../src/webgpu/ownDevice.ts";
import { handWrittenContestants } from "./contestants/byHand.ts";
import type { Context } from "./contestants/gradclip.ts";
import { gradclipContestants } from "./contestants/gradclip.ts";
import { limitContestants } from "./contestants/limits.ts";
import type { WasmPaths } from "./contestants/tfjsCpu.ts";
import { type Counts, countsFor } from "./counts.ts";
import { type Environment, environmentOf } from "./environment.ts";
import { GpuArena } from "./gpu/arena.ts";
import { dispatchesDuring } from "./gpu/dispatchesDuring.ts";
import { ownDevice } from "./gpu/ownDevice.ts";
import { Recorder } from "./gpu/recorder.ts";
import { encodeCost, type HostCost } from "./hostCost.ts";
import { truthOf } from "./reference.ts";
import { isLost, Stop } from "./stop.ts";
import { compete, type Listeners } from "./turns.ts";
import type { Contestant, Pace, Row } from "./types.ts";
import { bytesOf, elementsOf, type Preset, valuesOf, type Workload, workloadsOf } from "./workloads.ts";

export interface Results {
  readonly environment: Environment;
  readonly preset: Preset;
  readonly seed: number;
  readonly workloads: readonly Measured[];
  readonly rows: readonly Row[];
  readonly hostCosts: readonly HostCost[];
  /** Why the run ended before its end: rows of the last workload may be preliminary. */
  readonly stopped?: string;
  /** Contestants that could not start, and the reasons. */
  readonly absent: readonly { readonly contestant: string; readonly reason: string }[];
}

/** A workload in a few words. */
export interface Measured {
  readonly name: string;
  readonly dtype: Workload["dtype"];
  readonly isArena: boolean;
  readonly tensors: number;
  readonly elements: number;
  /** Present on a GPU. */
  readonly counts?: Counts;
  /** The most dispatches that a step may take. */
  readonly mostDispatches?: number;
}

export interface Options {
  readonly engine: string;
  readonly preset: Preset;
  /** Undefined for the contestants without a GPU. */
  readonly gpu?: GPU;
  /** Part of the names of the workloads to run. */
  readonly filter?: string;
  readonly wasmPaths?: WasmPaths;
  /** Ends the run, which then resolves with what there is. */
  readonly signal?: AbortSignal;
  /** Before each turn, with the part of the run that is behind it. */
  readonly onTurn?: (workload: string, contestant: string, done: number) => void;
  /** After the first batches of a contestant; its last row comes with those of its workload. */
  readonly onRow?: (row: Row) => void;
  readonly onRows?: (rows: readonly Row[], done: number, total: number) => void;
}

const SEED = 1;

const paces: Record<Preset, Pace> = {
  quick: { batchMs: 4, rounds: 3, latencyRounds: 2 },
  page: { batchMs: 15, rounds: 7, latencyRounds: 7 },
  full: { batchMs: 30, rounds: 7, latencyRounds: 3 },
};

export async function runBenchmark(options: Options): Promise<Results> {
  return options.gpu ? runOnGpu(options, options.gpu) : runOnCpu(options);
}

async function runOnGpu(options: Options, gpu: GPU): Promise<Results> {
  const { engine, preset } = options;
  const { device, absent, peers } = await deviceAndPeers(gpu);
  const stop = new Stop(options.signal, device);
  const environment = await environmentOf(engine, device);
  const clipper = await createClipper({ device });
  const recorder = new Recorder(device);
  const chosen = chosenFrom(options, environment.isSoftware === true).filter((workload) => fits(workload, device));
  const measured: Measured[] = [];
  const hostCosts: HostCost[] = [];
  const run = async (workload: Workload, listeners: Listeners) => {
    const values = valuesOf(workload, SEED);
    const arena = new GpuArena(device, workload, values);
    const sweep = sweepOf(options, environment, workload);
    const context = { arena, recorder, truth: truthOf(values), clipper, sweep };
    const count: Listeners["count"] = (work) => dispatchesDuring(device, work);
    const contestants = contestantsFor(context, peers);
    try {
      const found = await compete(workload, context.truth, contestants, paces[preset], { ...listeners, count });
      measured.push(countedFor(context));
      if (workload.dtype === "f32" && !workload.isArena) hostCosts.push(await encodeCost(context));
      return found;
    } finally {
      arena.destroy();
    }
  };
  const { rows, stopped, last } = await runAll(chosen, options, stop, run);
  if (last) measured.push(summary(last));
  clipper.destroy();
  recorder.destroy();
  return { environment, preset, seed: SEED, workloads: measured, rows, hostCosts, stopped, absent };
}

interface Ran {
  readonly rows: readonly Row[];
  readonly stopped?: string;
  /** The workload in which the run was stopped. */
  readonly last?: Workload;
}

/** One workload after another. A run that is stopped keeps what it has. */
async function runAll(
  workloads: readonly Workload[],
  { onTurn, onRow, onRows }: Options,
  stop: Stop,
  run: (workload: Workload, listeners: Listeners) => Promise<Row[]>,
): Promise<Ran> {
  const rows: Row[] = [];
  const shares = sharesOf(workloads);
  let behind = 0;
  for (const [i, workload] of workloads.entries()) {
    const share = shares[i] as number;
    let first: Row[] = [];
    const listeners: Listeners = {
      onTurn(contestant, done) {
        stop.check();
        onTurn?.(workload.name, contestant, behind + share * done);
      },
      onRow(row) {
        if (stop.reason) return;
        first.push(row);
        onRow?.(row);
      },
    };
    try {
      rows.push(...(await Promise.race([run(workload, listeners), stop.promise])));
    } catch (error) {
      const stopped = await stop.reasonFor(error);
      // What failed last may have failed because of the loss.
      if (stop.isLost && first.at(-1)?.verdict === "failed") first = first.slice(0, -1);
      return { rows: [...rows, ...first], stopped, ...(first.length > 0 && { last: workload }) };
    }
    behind += share;
    onRows?.(
      rows.filter((row) => row.workload === workload.name),
      i + 1,
      workloads.length,
    );
  }
  return { rows };
}

/** How much of a run each workload is: a part of its time does not depend on its size. */
function sharesOf(workloads: readonly Workload[]): number[] {
  const costs = workloads.map((workload) => 1 + bytesOf(workload) / 2 ** 24);
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  return costs.map((cost) => cost / total);
}

/** The hand-written kernels and the engines take float32 only. */
function contestantsFor(context: Context, peers: readonly Peer[]): Contestant[] {
  const { workload } = context.arena;
  const own = [...gradclipContestants(context), ...limitContestants(context)];
  if (workload.dtype !== "f32") return own;
  const byHand = handWrittenContestants(context);
  return [...own, ...byHand, ...(hasRoomForPeers(context.arena) ? peers.flatMap((peer) => peer(context)) : [])];
}

async function runOnCpu(options: Options): Promise<Results> {
  const { engine, preset } = options;
  const { cpuContestants } = await import("./contestants/cpu.ts");
  const absent: { contestant: string; reason: string }[] = [];
  const tfjs = await import("./contestants/tfjsCpu.ts").catch((error) => {
    absent.push({ contestant: "TensorFlow.js", reason: String(error) });
    return undefined;
  });
  const workloads = chosenFrom(options, true).filter(({ dtype }) => dtype === "f32");
  const pace = { ...paces[preset], latencyRounds: 0 };
  const { rows, stopped } = await runAll(workloads, options, new Stop(options.signal), async (workload, listeners) => {
    const truth = truthOf(valuesOf(workload, SEED));
    const contestants: Contestant[] = await cpuContestants(workload, truth);
    if (tfjs) contestants.push(...tfjs.tfjsCpuContestants(workload, truth, options.wasmPaths));
    const onTurn = async (contestant: string, done: number) => {
      // Nothing here waits for a GPU: without this a page could neither draw nor cancel.
      await new Promise((resolve) => setTimeout(resolve));
      await listeners.onTurn?.(contestant, done);
    };
    return compete(workload, truth, contestants, pace, { ...listeners, onTurn });
  });
  const environment = await environmentOf(engine);
  const measured = workloads.filter(({ name }) => rows.some(({ workload }) => workload === name)).map(summary);
  return { environment, preset, seed: SEED, workloads: measured, rows, hostCosts: [], stopped, absent };
}

function chosenFrom({ preset, filter = "" }: Options, isSoftware: boolean): Workload[] {
  return workloadsOf(preset, isSoftware).filter(({ name }) => name.includes(filter));
}

function summary(workload: Workload): Measured {
  const { name, dtype, isArena, lengths } = workload;
  return { name, dtype, isArena, tensors: lengths.length, elements: elementsOf(workload) };
}

function countedFor({ arena: { workload, gradients, device } }: Context): Measured {
  const { dtype, lengths } = workload;
  const context = contextOf(device) as DeviceContext;
  const views = gradients.map((buffer, i) => ({ buffer, length: lengths[i] as number, dtype }));
  return {
    ...summary(workload),
    counts: countsFor(views, context),
    mostDispatches: 2 * (Math.ceil(lengths.length / context.slots) + 1) + 1,
  };
}

/** Whether each gradient fits in one binding. */
function fits(workload: Workload, { limits }: GPUDevice): boolean {
  const size = workload.dtype === "f32" ? 4 : 2;
  return Math.max(...workload.lengths) * size <= Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}

/** Contestants that work out of place hold many copies; a software adapter keeps them in the machine's memory. */
function hasRoomForPeers({ workload, device }: GpuArena): boolean {
  return bytesOf(workload) <= (isSoftware(device.adapterInfo) ? 2 ** 26 : 2 ** 29);
}

/** Few configurations if every try takes seconds. */
function sweepOf({ preset }: Options, { isSoftware }: Environment, workload: Workload): Context["sweep"] {
  const lanes = isSoftware ? [4, 8] : [64, 256];
  if (preset === "quick") return { lanes: lanes.slice(0, 1), workgroups: isSoftware ? [8, 16] : [512, 2048] };
  if (isSoftware && bytesOf(workload) > 2 ** 26) return { lanes, workgroups: [8] };
  return { lanes, workgroups: isSoftware ? [2, 8] : [512, 2048, 8192] };
}

type Peer = (context: Context) => Contestant[];

/** jax-js accepts no device: if it starts, all contestants use its device. */
async function deviceAndPeers(gpu: GPU) {
  const absent: { contestant: string; reason: string }[] = [];
  const peers: Peer[] = [];
  let device: GPUDevice | undefined;
  try {
    const [jax, contestants] = await Promise.all([import("@jax-js/jax"), import("./contestants/jax.ts")]);
    if (!(await answerOf(jax.init("webgpu"), "device")).includes("webgpu")) throw new Error("jax-js found no WebGPU.");
    jax.defaultDevice("webgpu");
    const made = jax.getWebGPUDevice();
    if (await isLost(made)) throw new Error("It keeps the device that was lost: reload the page to measure it again.");
    device = made;
    peers.push(contestants.jaxContestants);
  } catch (error) {
    absent.push({ contestant: "jax-js", reason: String(error) });
  }
  try {
    peers.unshift((await import("./contestants/tfjs.ts")).tfjsContestants);
  } catch (error) {
    absent.push({ contestant: "TensorFlow.js", reason: String(error) });
  }
  return { device: device ?? (await ownDevice(gpu)), absent, peers };
}
