/** Pieces of the site that need no page. */
import { expect, test } from "vitest";
import { written } from "../demo/shared/text.ts";
import { Stopwatch } from "../demo/train/stopwatch.ts";

test("numbers: three digits, and no hyphen at which a line would break", () => {
  expect([0, 1, 0.12345, 1234.5, 65_536, -0.5].map(written)).toEqual(["0", "1", "0.123", "1235", "65536", "-0.5"]);
  expect(written(1.8e-5)).toBe("1.8e−5");
  expect(written(2.34e5)).toBe("2.3e5");
  expect(written(-7.6e-4)).toBe("−7.6e−4");
  expect([null, undefined, Number.NaN].map(written)).toEqual(["–", "–", "NaN"]);
});

test("a stopwatch counts no time in which it is stopped", () => {
  let now = 100;
  const watch = new Stopwatch(() => now);
  const wait = (time: number) => {
    now += time;
    return watch.elapsed;
  };
  expect(wait(50)).toBe(0);
  watch.run(true);
  expect(wait(20)).toBe(20);
  watch.run(true);
  expect(wait(5)).toBe(25);
  watch.run(false);
  expect(wait(1000)).toBe(25);
  watch.run(true);
  expect(wait(10)).toBe(35);
  watch.reset();
  expect(wait(7)).toBe(7);
});
