/** Options that the functions of methods refuse, by name. */
import { describe, expect, test } from "vitest";
import { type ClipMethod, clipByGlobalNorm, clipGradients, measureNorm } from "../src/index.ts";
import { bench } from "./support/bench.ts";
import { refused, synchronously } from "./support/refused.ts";

type Options = Parameters<typeof clipByGlobalNorm>[1];
type Make = [subject: string, make: (options: unknown) => ClipMethod];

const clipping: Make = ["clipByGlobalNorm", (options) => clipByGlobalNorm(1, options as Options)];
const measuring: Make = ["measureNorm", (options) => measureNorm(options as Options)];

const NORM_TYPE = "pass 1, 2, Infinity or another number from 0.05 to 4194304.";
const EPS = "pass a number from 0 to 3.4028234663852886e+38.";
const MEMBERS = "pass a whole number from 1 to 1000000.";

/** Values that are no number, as a message shows them. */
const noNumbers: [shown: string, value: unknown][] = [
  ['the string "2"', "2"],
  ["true", true],
  ["null", null],
  ["the bigint 2n", 2n],
  ["an Object", {}],
  ["an Array", [2]],
];

describe.each([clipping, measuring])("%s's options", (subject, make) => {
  test.each(noNumbers)("refuse the normType %s", async (shown, normType) => {
    await refused(() => make({ normType }), TypeError, `${subject}'s normType is ${shown}; ${NORM_TYPE}`);
  });

  test.each([0, -1, -2, Number.NaN, -Infinity, 0.04, 5e6])("refuse the normType %d", async (normType) => {
    const message = `${subject}'s normType is ${normType}; ${NORM_TYPE}`;
    await refused(() => make({ normType }), RangeError, message);
  });

  test("refuse what they do not know", async () => {
    const rows: [unknown, RegExp][] = [
      [{ p: 2 }, /has an unknown property "p"; it takes normType.*\.$/],
      [{ norm_type: 2 }, /has an unknown property "norm_type"; it takes normType.*\.$/],
      [2, /is 2; pass an object with normType.*\.$/],
      [null, /is null; pass an object with normType.*\.$/],
      ["inf", /is the string "inf"; pass an object with normType.*\.$/],
    ];
    for (const [options, message] of rows) {
      const error = await refused(
        synchronously(() => make(options)),
        TypeError,
        message,
      );
      expect(error.message.startsWith(`${subject}'s options `)).toBe(true);
    }
  });

  test.each([
    [1, 7],
    [2, 5],
    [Infinity, 4],
    [undefined, 5],
  ])("take the normType %d", async (normType, norm) => {
    expect((await clipGradients([new Float32Array([3, -4])], make({ normType }))).norm).toBe(norm);
  });
});

describe("clipByGlobalNorm's", () => {
  const [subject, make] = clipping;

  test.each(noNumbers)("eps refuses %s", async (shown, eps) => {
    await refused(() => make({ eps }), TypeError, `${subject}'s eps is ${shown}; ${EPS}`);
  });

  test.each([-1, -1e-8, Number.NaN, Infinity, -Infinity, 1e39])("eps refuses %d", async (eps) => {
    const message = `${subject}'s eps is ${eps}; ${EPS}`;
    await refused(() => make({ eps }), RangeError, message);
  });

  test.each(noNumbers)("members refuses %s", async (shown, members) => {
    await refused(() => make({ members }), TypeError, `${subject}'s members is ${shown}; ${MEMBERS}`);
  });

  test.each([0, -1, 1.5, Number.NaN, Infinity, 1_000_001, 2 ** 53])("members refuses %d", async (members) => {
    const message = `${subject}'s members is ${members}; ${MEMBERS}`;
    await refused(() => make({ members }), RangeError, message);
  });
});

describe("a method that is none is refused by prepare:", () => {
  test.each([
    ["null", null, "null"],
    ["a number", 1, "1"],
    ["a name", "clipByGlobalNorm", 'the string "clipByGlobalNorm"'],
    ["a method that was not called", clipByGlobalNorm, "a function"],
    ["options in its place", { maxNorm: 1 }, "an Object"],
  ])("%s", async (_, method, shown) => {
    const buffer = bench.buffer([3, 4]);
    const message = `method is ${shown}; pass what a method such as clipByGlobalNorm(1) returns.`;
    await bench.refuses(() => bench.clipper.prepare([buffer], method as never), TypeError, message);
  });
});
