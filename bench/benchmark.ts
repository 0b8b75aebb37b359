import { createClipper } from "../src/index.ts";
import { contextOf, type DeviceContext } from "../src/webgpu/device.ts";
import { isSoftware } from "../src/webgpu/grid.ts";
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
import { compete } from "./turns.ts";
import type { Contestant, Pace, Row } from "./types.ts";
import { bytesOf, elementsOf, type Preset, valuesOf, type Workload, workloadsOf } from "./workloads.ts";

export interface Results {
  readonly environment: Environment;
  readonly preset: Preset;
  readonly seed: number;
  readonly workloads: readonly Measured[];
  readonly rows: readonly Row[];
  readonly hostCosts: readonly HostCost[];
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
  readonly onTurn?: (workload: string, contestant: string) => void;
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
  const lost = device.lost.then(({ message }) => {
    throw new Error(`The device was lost: ${message}`);
  });
  const environment = await environmentOf(engine, device);
  const clipper = await createClipper({ device });
  const recorder = new Recorder(device);
  const chosen = chosenFrom(options, environment.isSoftware === true).filter((workload) => fits(workload, device));
  const measured: Measured[] = [];
  const rows: Row[] = [];
  const hostCosts: HostCost[] = [];
  for (const workload of chosen) {
    const values = valuesOf(workload, SEED);
    const arena = new GpuArena(device, workload, values);
    const context = {
      arena,
      recorder,
      truth: truthOf(values),
      clipper,
      sweep: sweepOf(options, environment, workload),
    };
    const turn = (contestant: string) => options.onTurn?.(workload.name, contestant);
    const count = (work: () => Promise<unknown>) => dispatchesDuring(device, work);
    try {
      const race = compete(workload, context.truth, contestantsFor(context, peers), paces[preset], turn, count);
      const found = await Promise.race([race, lost]);
      rows.push(...found);
      measured.push(countedFor(context));
      if (workload.dtype === "f32" && !workload.isArena) hostCosts.push(await encodeCost(context));
      options.onRows?.(found, measured.length, chosen.length);
    } finally {
      arena.destroy();
    }
  }
  clipper.destroy();
  recorder.destroy();
  return { environment, preset, seed: SEED, workloads: measured, rows, hostCosts, absent };
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
  const rows: Row[] = [];
  const workloads = chosenFrom(options, true).filter(({ dtype }) => dtype === "f32");
  for (const [done, workload] of workloads.entries()) {
    const truth = truthOf(valuesOf(workload, SEED));
    const contestants: Contestant[] = await cpuContestants(workload, truth);
    if (tfjs) contestants.push(...tfjs.tfjsCpuContestants(workload, truth, options.wasmPaths));
    const turn = (contestant: string) => options.onTurn?.(workload.name, contestant);
    const found = await compete(workload, truth, contestants, { ...paces[preset], latencyRounds: 0 }, turn);
    rows.push(...found);
    options.onRows?.(found, done + 1, workloads.length);
  }
  const environment = await environmentOf(engine);
  return { environment, preset, seed: SEED, workloads: workloads.map(summary), rows, hostCosts: [], absent };
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
    if (!(await jax.init("webgpu")).includes("webgpu")) throw new Error("jax-js found no WebGPU.");
    jax.defaultDevice("webgpu");
    device = jax.getWebGPUDevice();
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
