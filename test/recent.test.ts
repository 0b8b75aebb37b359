/** The one cache: bounded, and what was used last stays. */
import { afterEach, expect, test } from "vitest";
import { clipByGlobalNorm } from "../src/index.ts";
import { Recent } from "../src/recent.ts";
import { bench } from "./support/bench.ts";

afterEach(() => bench.expectWhole());

test("it keeps 32 values, and drops the one that was used longest ago", () => {
  const dropped: number[] = [];
  const recent = new Recent<number>((value) => dropped.push(value));
  for (let k = 0; k < 32; k++) expect(recent.get(["f32", k], () => k)).toBe(k);
  expect(dropped).toEqual([]);
  recent.get(["f32", 0], () => Number.NaN);
  recent.get(["f32", 32], () => 32);
  expect(dropped).toEqual([1]);
  expect(recent.values()).toEqual([32, 0, ...Array.from({ length: 30 }, (_, k) => 31 - k)]);
});

test.each([
  [1, 32],
  [1_000_000, 10],
  [5_000_000, 2],
])("of keys with %i words it keeps %i", (length, kept) => {
  const recent = new Recent<number>();
  for (let k = 0; k <= kept; k++) recent.get(Array(length).fill(k), () => k);
  expect(recent.values()).toHaveLength(kept);
});

test("a clip keeps the bind groups of 32 lists of buffers", () => {
  const lists = Array.from({ length: 33 }, (_, k) => [bench.buffer([k / 64, 0])]);
  const clip = bench.clipper.prepare(lists[0] as GPUBuffer[], clipByGlobalNorm(1));
  const madeBy = (list: readonly GPUBuffer[]) => {
    const before = bench.count("createBindGroup");
    clip.run(list);
    return bench.count("createBindGroup") - before;
  };
  const [ofPrepare, ...others] = lists.map((list) => madeBy(list));
  expect(ofPrepare).toBe(0);
  expect(Math.min(...others)).toBeGreaterThan(0);
  // The first list was used longest ago: the 33rd took its place. All others are known.
  expect(lists.slice(1).map((list) => madeBy(list))).toEqual(Array(32).fill(0));
  expect(madeBy(lists[0] as GPUBuffer[])).toBeGreaterThan(0);
});
