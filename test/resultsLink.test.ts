import { expect, test, vi } from "vitest";
import type { Results } from "../bench/benchmark.ts";
import { figuresOf } from "../bench/figures.ts";
import type { Row } from "../bench/types.ts";
import { linkTo, resultsFrom } from "../demo/benchmark/link.ts";

test("a link shows the times that the page showed: a timestamp of 0 leaves the clock's, and others go before it", async () => {
  vi.stubGlobal("location", { origin: "http://127.0.0.1", pathname: "/benchmark.html" });
  const rowOf = (contestant: string, gpu: number[]): Row => ({
    workload: "tiny",
    contestant,
    work: "clip",
    bytes: 4000,
    verdict: "right",
    throughput: { steps: 8, clock: [5, 9, 6], gpu },
  });
  const rows = [rowOf("coarse", [0, 1, 2]), rowOf("fine", [3, 1, 2])];
  const results: Results = {
    environment: {
      engine: "",
      agent: "",
      adapter: "",
      isSoftware: true,
      features: [],
      limits: {},
      clockQuantumNs: 100,
    },
    preset: "quick",
    seed: 1,
    workloads: [],
    rows,
    hostCosts: [],
    absent: [],
  };
  const workloads = [{ name: "tiny", dtype: "f32", isArena: false, tensors: 1, elements: 1000 }];
  const link = await linkTo({ ...results, workloads } as unknown as Results);
  const read = await resultsFrom(new URL(link).hash);
  const medians = (read?.rows ?? []).map((row) => figuresOf(row, read?.rows ?? [])?.step.median);
  expect(medians).toEqual([6, 2]);
  expect(rows.map((row) => figuresOf(row, rows)?.step.median)).toEqual([6, 2]);
  vi.unstubAllGlobals();
});
