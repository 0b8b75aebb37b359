/** Lists of lengths for the tests of the benchmark. */
import type { Workload } from "../../bench/workloads.ts";

export const sum = (lengths: readonly number[]) => lengths.reduce((a, b) => a + b, 0);

export function workload(lengths: readonly number[], dtype: Workload["dtype"] = "f32"): Workload {
  return { name: "test", dtype, lengths, isArena: false };
}
