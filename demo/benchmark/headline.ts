import type { Results } from "../../bench/benchmark.ts";
import { stepsOfPair } from "../../bench/figures.ts";
import { CLIP, COPY, CPU_CLIP, CPU_NORM, NAIVE_NORM, PER_TENSOR, SNRM2_NORM } from "../../bench/names.ts";
import { ratioOf } from "../../bench/statistics.ts";
import type { Row } from "../../bench/types.ts";
import { element } from "./elements.ts";

/** The two main answers: how close to the memory's bandwidth, and how much faster than the alternatives. */
export function headlineOf({ rows, workloads }: Results): HTMLElement[] {
  const find = (workload: string, contestant: string) =>
    rows.find((row) => row.workload === workload && row.contestant === contestant);
  const figures: HTMLElement[] = [];
  const largest = workloads.filter(({ isArena, dtype }) => isArena && dtype === "f32").at(-1)?.name ?? "";
  const [clip, copy] = [find(largest, CLIP), find(largest, COPY)];
  const share = clip && copy && bandwidthShare(clip, copy);
  if (share) {
    figures.push(
      figure(`${Math.round(100 * share)} %`, `of the bandwidth of this device's own copy, clipping ${largest}`),
    );
  }
  const model = workloads.filter(({ tensors, dtype }) => tensors > 1 && dtype === "f32" && tensors < 1000).at(-1);
  for (const row of rows.filter(({ workload, against }) => workload === model?.name && isPeer(against))) {
    if (row.contestant.startsWith("gradclip")) continue;
    const ours = find(row.workload, row.against ?? "");
    const pair = ours && stepsOfPair(row, ours);
    if (!pair) continue;
    const times = ratioOf(...pair).median;
    if (
      row.contestant === PER_TENSOR ||
      !/norm$/.test(row.contestant) ||
      [SNRM2_NORM, NAIVE_NORM].includes(row.contestant)
    ) {
      figures.push(figure(`${times.toPrecision(2)} ×`, `as fast as ${row.contestant} (${row.workload})`));
    }
  }
  return figures;
}

function isPeer(against: string | undefined): boolean {
  return against === CLIP || against === CPU_CLIP || against === CPU_NORM;
}

function bandwidthShare(clip: Row, copy: Row): number | undefined {
  const pair = stepsOfPair(copy, clip);
  return pair && ratioOf(...pair).median * (clip.bytes / copy.bytes);
}

function figure(value: string, what: string): HTMLElement {
  return element("p", {}, element("strong", {}, value), what);
}
