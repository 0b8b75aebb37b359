import type { Results } from "./benchmark.ts";
import { stepsOfPair } from "./figures.ts";
import { table } from "./markdown.ts";
import {
  CLIP,
  JAX,
  JAX_JIT,
  NORM_PASS,
  PER_TENSOR,
  READ,
  READ_AND_WRITE,
  READ_BACK,
  SCALE_PASS,
  TFJS,
  UNCLIPPED,
} from "./names.ts";
import { ratioOf } from "./statistics.ts";
import { isMet, type Target, targetsOf } from "./targets.ts";

type Runs = readonly [Results, ...Results[]];

const others = [PER_TENSOR, TFJS, JAX_JIT, JAX, READ_BACK];

/** Dispatches of a step, as they were counted at the device's calls. */
export function dispatchesTable([{ rows, workloads }]: Runs): string {
  const contestants = [CLIP, ...others.filter((name) => name !== READ_BACK)];
  const body = workloads.flatMap(({ name, dtype }) => {
    const counts = contestants.map((contestant) => rowIn(rows, name, contestant)?.dispatches);
    return dtype === "f32" && counts.some((count) => count !== undefined) ? [[name, ...counts.map(shown)]] : [];
  });
  return table(["dispatches of a step that clips", ...contestants], body);
}

/** How many times as long as a clipping step the others take, run by run. */
export function othersTable(runs: Runs): string {
  const body = runs[0].workloads.flatMap(({ name, dtype }) => {
    if (dtype !== "f32") return [];
    const cells = others.map((contestant) => ratios(runs, name, contestant, CLIP));
    return cells.some(Boolean) ? [[name, ...cells]] : [];
  });
  return table(["times as long as gradclip", ...others], body);
}

/** How near the passes come to kernels that only read, or read and write, and what a step costs that clips nothing. */
export function limitsTable(runs: Runs): string {
  const body = runs[0].workloads.map(({ name }) => [
    name,
    ratios(runs, name, READ, NORM_PASS),
    ratios(runs, name, READ_AND_WRITE, SCALE_PASS),
    ratios(runs, name, UNCLIPPED, CLIP),
  ]);
  const head = [
    "",
    "norm, of the speed of reading",
    "scale, of reading and writing",
    "under the bound, of the time of clipping",
  ];
  return table(head, body);
}

/** What is aimed at, with the median of each run. */
export function targetsTable(runs: Runs): string {
  const found = runs.map((run) => timedTargets(run));
  const body = (found[0] as Target[]).map((target) => {
    const all = found.flatMap((targets) => targets.filter(({ name }) => name === target.name));
    const wanted = target.atLeast === undefined ? `at most ${target.atMost}` : `at least ${target.atLeast}`;
    const medians = all.map(({ measured }) => short(measured.median)).join(", ");
    return [target.name, wanted, medians, `${all.filter(isMet).length} of ${all.length}`];
  });
  return table(["what", "wanted", "median of each run", "met in"], body);
}

function timedTargets(run: Results): Target[] {
  return targetsOf(run).filter(({ isCounted }) => !isCounted);
}

function rowIn(rows: Results["rows"], workload: string, contestant: string) {
  return rows.find((row) => row.workload === workload && row.contestant === contestant);
}

/** "wrong" where an answer was, in any of the runs. */
function ratios(runs: Runs, workload: string, contestant: string, against: string): string {
  const medians = runs.flatMap(({ rows }) => {
    const [row, other] = [rowIn(rows, workload, contestant), rowIn(rows, workload, against)];
    if (row?.verdict === "wrong") return ["wrong"];
    const pair = row && other && stepsOfPair(row, other);
    return pair ? [short(ratioOf(...pair).median)] : [];
  });
  return [...new Set(medians)].length === 1 && medians[0] === "wrong" ? "wrong" : medians.join(", ");
}

function short(value: number): string {
  return value.toPrecision(value < 10 ? 2 : 3);
}

function shown(count: number | undefined): string {
  return count === undefined ? "" : count.toLocaleString("en");
}
