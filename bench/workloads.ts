import { gpt2, mobileNetV2, smallGru } from "./models.ts";
import { normalNumbers, uniformNumbers } from "./training/random.ts";

/** The sizes of the gradients to clip. Each tensor has its own buffer. */
export interface Workload {
  readonly name: string;
  readonly dtype: "f32" | "f16";
  readonly lengths: readonly number[];
  /** Whether it is for the plot of bandwidth against size: one tensor, named by its size. */
  readonly isArena: boolean;
}

export type Values = readonly (Float32Array | Uint16Array)[];

const MI = 2 ** 20;

export function elementsOf({ lengths }: Workload): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

export function bytesOf(workload: Workload): number {
  return elementsOf(workload) * (workload.dtype === "f32" ? 4 : 2);
}

function list(name: string, lengths: readonly number[], dtype: Workload["dtype"] = "f32"): Workload {
  return { name: dtype === "f32" ? name : `${name}, ${dtype}`, dtype, lengths, isArena: false };
}

function arena(elements: number, dtype: Workload["dtype"] = "f32"): Workload {
  const size = elements >= MI ? `${elements / MI} Mi` : `${elements / 1024} Ki`;
  return { name: `one of ${size}, ${dtype}`, dtype, lengths: [elements], isArena: true };
}

const alike = (count: number) => Array<number>(count).fill(1000);

/** Narrower language models: a software adapter would take seconds for a step of the real ones. */
const quarter = { width: 192, vocabulary: 12_564, context: 256 };

export type Preset = "quick" | "page" | "full";

/** quick: for tests; page: a minute on a real GPU; full: on a software adapter with narrower models, named so. */
export function workloadsOf(preset: Preset, isSoftware: boolean): Workload[] {
  const gru = list("GRU, 10 tensors", smallGru());
  if (preset === "quick") return [gru, arena(MI / 16), arena(MI / 4)];
  const size = isSoftware || preset === "page" ? quarter : {};
  const scaled = size === quarter ? " (a quarter as wide)" : "";
  const models = [
    gru,
    list("MobileNetV2, 158 tensors", mobileNetV2()),
    list(`GPT-2 small, 148 tensors${scaled}`, gpt2(size)),
  ];
  const thousand = list("1,000 tensors of 1,000", alike(1000));
  if (preset === "page") return [...models, thousand, ...[1 / 16, 1 / 4, 1, 4, 16].map((size) => arena(size * MI))];
  return [
    ...models,
    list(`DistilGPT2, 76 tensors${scaled}`, gpt2({ ...size, layers: 6 })),
    list("100 tensors of 1,000", alike(100)),
    thousand,
    ...[1, 4, 16, 64].map((size) => arena(size * MI)),
    list("GRU, 10 tensors", smallGru(), "f16"),
    list("MobileNetV2, 158 tensors", mobileNetV2(), "f16"),
    list(`GPT-2 small, 148 tensors${scaled}`, gpt2(size), "f16"),
    list("1,000 tensors of 1,000", alike(1000), "f16"),
    ...[16, 64].map((size) => arena(size * MI, "f16")),
  ];
}

const BLOCK = 65_536;

/** Normal values: one block repeated, scaled differently for each tensor. A seed gives the same values on every machine. */
export function valuesOf({ lengths, dtype }: Workload, seed = 1): Values {
  const uniform = uniformNumbers(seed);
  const normal = normalNumbers(uniform);
  const block = Float32Array.from({ length: BLOCK }, normal);
  const halves = dtype === "f16" ? Uint16Array.from({ length: BLOCK }, () => half(uniform)) : undefined;
  return lengths.map((length) => {
    if (halves) return repeated(new Uint16Array(length), halves);
    const size = 2 ** (-4 - 6 * uniform());
    return repeated(
      new Float32Array(length),
      block.map((value) => value * size),
    );
  });
}

function repeated<T extends Float32Array | Uint16Array>(values: T, block: T): T {
  for (let at = 0; at < values.length; at += BLOCK) {
    values.set(block.subarray(0, Math.min(BLOCK, values.length - at)) as never, at);
  }
  return values;
}

/** Bits of a float16 between 2^-9 and 2^-1. It stays normal under the scales of the benchmark. */
function half(uniform: () => number): number {
  const exponent = 6 + Math.floor(8 * uniform());
  return (Math.floor(2 * uniform()) << 15) | (exponent << 10) | Math.floor(1024 * uniform());
}
