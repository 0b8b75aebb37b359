/** Pieces of the site that need no page. */
import { expect, test } from "vitest";
import { written } from "../demo/shared/text.ts";

test("numbers: three digits, and no hyphen at which a line would break", () => {
  expect([0, 1, 0.12345, 1234.5, 65_536, -0.5].map(written)).toEqual(["0", "1", "0.123", "1235", "65536", "-0.5"]);
  expect(written(1.8e-5)).toBe("1.8e−5");
  expect(written(2.34e5)).toBe("2.3e5");
  expect(written(-7.6e-4)).toBe("−7.6e−4");
  expect([null, undefined, Number.NaN].map(written)).toEqual(["–", "–", "NaN"]);
});
