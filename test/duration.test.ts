import { expect, test } from "vitest";
import { durationText, timeToGo } from "../demo/shared/duration.ts";

test.each([
  [0.000001, "1 ns"],
  [0.0123, "12.3 µs"],
  [0.0999, "99.9 µs"],
  [0.42, "0.42 ms"],
  [12.34, "12.3 ms"],
  [11.55, "11.6 ms"],
  [11.549999999999272, "11.6 ms"],
  [123.4, "123 ms"],
  [1720, "1.7 s"],
  [43_210, "43.2 s"],
  [125_000, "2 min 5 s"],
  [119_700, "2 min 0 s"],
])("%s ms read %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test("the time to go follows from what is done, and is not said too early", () => {
  expect(timeToGo(2000, 0.01)).toBe("");
  expect(timeToGo(500, 0.5)).toBe("");
  expect(timeToGo(10_000, 0.2)).toBe("about 40 s to go");
  expect(timeToGo(10_000, 0.05)).toBe("about 3 min to go");
  expect(timeToGo(10_000, 0.9)).toBe("a few seconds to go");
  expect(timeToGo(10_000, 1)).toBe("");
});
