/** The one cache: bounded, and what was used last stays. */
import { afterEach, expect, test } from "vitest";
import { clipByGlobalNorm } from "../src/index.ts";
import { keptOf, Recent } from "../src/recent.ts";
import { bench } from "./support/bench.ts";

afterEach(() => bench.expectWhole());

test("it keeps as many values as it was told, and drops the one that was used longest ago", () => {
  const dropped: string[] = [];
  const recent = new Recent<string>(3, (value) => dropped.push(value));
  const get = (key: string) => recent.get([key], () => `value of ${key}`);
  for (const key of ["a", "b", "c"]) expect(get(key)).toBe(`value of ${key}`);
  expect(dropped).toEqual([]);
  get("a");
  get("d");
  expect(dropped).toEqual(["value of b"]);
  expect(recent.values()).toEqual(["value of d", "value of a", "value of c"]);
});

test("it makes the value of equal keys once", () => {
  let made = 0;
  const recent = new Recent<number>(2);
  const get = (key: number) => recent.get(["f32", key], () => ++made);
  expect([get(5), get(5), get(6), get(5)]).toEqual([1, 1, 2, 1]);
  expect(recent.values()).toEqual([1, 2]);
});

test("it keeps 32 lists, and fewer long ones: two million gradients in all", () => {
  expect([0, 1, 62_500, 100_000, 500_000, 1_000_000].map(keptOf)).toEqual([32, 32, 32, 20, 4, 2]);
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
