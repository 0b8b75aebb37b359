// The run in one sentence.

import type { Results } from "../../bench/benchmark.ts";
import { stepsOfPair } from "../../bench/figures.ts";
import { CLIP, COPY, CPU_CLIP, CPU_NORM, JAX_JIT, NAIVE_CLIP, SNRM2_NORM, TFJS } from "../../bench/names.ts";
import { ratioOf } from "../../bench/statistics.ts";

/** Empty where the run does not say it: on a software adapter, and before the workloads in question have run. */
export function sentenceOf(results: Results): string {
  const { environment } = results;
  if (environment.isSoftware) return "";
  return environment.adapter === "none" ? onCpu(results) : onGpu(results);
}

function onGpu(results: Results): string {
  const arenas = results.workloads.filter(({ isArena, dtype }) => isArena && dtype === "f32");
  const largest = [...arenas].sort((a, b) => a.elements - b.elements).at(-1)?.name ?? "";
  const share = sharedOf(results, largest);
  if (!share) return "";
  const others = [
    { name: "TensorFlow.js", times: timesAsLong(results, TFJS, CLIP) },
    { name: "jax-js", times: timesAsLong(results, JAX_JIT, CLIP) },
  ].flatMap(({ name, times }) => (times ? [comparison(times, name)] : []));
  return `${[`Clipping runs at ${Math.round(100 * share)} % of this GPU's copy speed`, ...others].join(", ")}.`;
}

function onCpu(results: Results): string {
  const loops = timesAsLong(results, NAIVE_CLIP, CPU_CLIP);
  const snrm2 = timesAsLong(results, SNRM2_NORM, CPU_NORM);
  if (!loops || !snrm2) return "";
  return `On this CPU, clipping is ${times(loops)} the speed of plain loops, and the norm ${times(snrm2)} that of BLAS's snrm2 in JavaScript.`;
}

function comparison(ratio: number, name: string): string {
  return `${times(ratio)} the speed of ${name}`;
}

function times(ratio: number): string {
  return `${ratio.toPrecision(2)} times`;
}

/** The bytes a second of clipping, as a part of those of the copy. */
function sharedOf({ rows }: Results, workload: string): number | undefined {
  const find = (name: string) => rows.find((row) => row.workload === workload && row.contestant === name);
  const [clip, copy] = [find(CLIP), find(COPY)];
  const pair = clip && copy && stepsOfPair(copy, clip);
  return pair && ratioOf(...pair).median * (clip.bytes / copy.bytes);
}

/** On the largest model that both clipped. */
function timesAsLong({ rows, workloads }: Results, contestant: string, ours: string): number | undefined {
  const models = workloads.filter(({ isArena, dtype }) => !isArena && dtype === "f32");
  for (const { name } of [...models].sort((a, b) => b.elements - a.elements)) {
    const find = (wanted: string) => rows.find((row) => row.workload === name && row.contestant === wanted);
    const [row, own] = [find(contestant), find(ours)];
    const pair = row && own && stepsOfPair(row, own);
    if (pair) return ratioOf(...pair).median;
  }
  return undefined;
}
