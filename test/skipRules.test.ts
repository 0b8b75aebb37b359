/** Skip rules, joint memories and the numbers that they keep, without a device. */
import { describe, expect, test, vi } from "vitest";
import { softFloatFields, softFloatOf } from "../src/floats.ts";
import {
  autoClip,
  clipByGlobalNorm,
  clipPerExample,
  createClipper,
  skipAbove,
  skipSpikes,
  zClip,
} from "../src/index.ts";
import { readMethod } from "../src/methods/method.ts";
import { normOf } from "../src/norms/normOf.ts";
import type { Members } from "../src/pieces.ts";
import { autoStruct } from "../src/rules/auto.ts";
import type { Remembering } from "../src/rules/rule.ts";
import { spikesStruct } from "../src/skips/skipSpikes.ts";
import type { Declared } from "../src/view.ts";

test("a SoftFloat has 32 digits, the first of them 1", () => {
  for (const value of [1, 3, 0.1, 2 ** 40 - 1, 1e300, 1e-150, 2 ** -569, 1 - 2 ** -53]) {
    const { mantissa, exponent } = softFloatOf(value, Math.floor);
    expect(mantissa).toBeGreaterThanOrEqual(2 ** 31);
    expect(mantissa).toBeLessThan(2 ** 32);
    expect((mantissa * 2 ** exponent) / value).toBeCloseTo(1, 8);
  }
  expect(softFloatOf(1 - 2 ** -53, Math.round)).toEqual({ mantissa: 2 ** 31, exponent: -31 });
  // Its logarithm rounds up to 40.
  expect(softFloatOf(2 ** 40 - 2 ** -13, Math.floor)).toEqual({ mantissa: 2 ** 32 - 1, exponent: 8 });
  // An engine's may be a little low.
  const log2 = vi.spyOn(Math, "log2").mockReturnValue(2.9999999999999996);
  expect(softFloatOf(8, Math.floor)).toEqual({ mantissa: 2 ** 31, exponent: -28 });
  log2.mockRestore();
  expect(softFloatFields("a", 2 ** -569)).toEqual({ aMantissa: 2 ** 31, aExponent: -600 });
  expect(softFloatFields("a", 2 ** -570)).toEqual({ aMantissa: 0, aExponent: 0 });
});

test.each([0.05, 2 ** 22])("p may be %d", (p) => {
  expect(normOf(p, "x").name).toBe("lp");
});

test.each([0.049, 2 ** 22 + 1, -1, Number.NaN])("p may not be %d", (p) => {
  const message = `x is ${p}; pass 1, 2, Infinity or another number from 0.05 to 4194304.`;
  expect(() => normOf(p, "x")).toThrow(new RangeError(message));
});

describe("a skip rule's memory", () => {
  test("of a threshold is nothing to save", () => {
    const { memory } = skipAbove(3).begin(undefined);
    expect([memory.savedBytes, memory.save().byteLength, memory.headWords]).toEqual([0, 0, 1]);
  });

  test("stands behind that of the method's rule, and goes to the GPU's words and back", () => {
    const begun = () => {
      const rule = (autoClip({ history: 4 }).rule as unknown as Remembering).begin(1);
      return { rule, skip: skipSpikes({ window: 3, warmup: 3 }).begin(rule) };
    };
    const { rule, skip } = begun();
    for (const norm of [1, 2, 4, 8, 16]) {
      skip.isSpike(norm);
      rule.boundFor({ norm, maxNorm: Infinity, weight: 0, parameterNorm: 0 });
    }
    const { memory } = skip;
    expect(memory.headWords).toBe(autoStruct.words + spikesStruct.words);
    expect(memory.subject).toBe("autoClip with a history of 4 and skipSpikes with a window of 3");
    const saved = [...new Float64Array(memory.save())];
    expect(saved.filter((_, i) => i !== 0 && i !== 6)).toEqual([4, 2, 4, 8, 16, 5, 4, 8, 16]);
    expect(memory.savedBytes).toBe(8 * saved.length);
    const words = memory.toWords(0);
    const [list, spikes] = [autoStruct.read(words, 0, "list"), spikesStruct.read(words, autoStruct.words, "listAt")];
    const floats = new Float32Array(words.buffer);
    expect([...floats.subarray(memory.headWords + list, memory.headWords + list + 4)]).toEqual([2, 4, 8, 16]);
    expect([...floats.subarray(memory.headWords + spikes, memory.headWords + spikes + 3)]).toEqual([4, 8, 16]);
    const other = begun().skip.memory;
    other.fromWords(words);
    expect([...new Float64Array(other.save())]).toEqual(saved);
    const third = begun().skip.memory;
    third.load(memory.save());
    expect([...new Float64Array(third.save())]).toEqual(saved);
  });
});

test("named groups of no gradient may be skipped", async () => {
  const clipper = await createClipper({ backend: "cpu" });
  const clip = clipper.prepare([], zClip({ per: "group" }), { skip: skipAbove(1) });
  clip.run();
  expect((await clip.report()).norm).toBe(0);
});

test("with a norm for each layer those of an absent gradient are absent, and of examples that a step lacks", () => {
  const { grouping } = clipPerExample(1, { examples: 2, perLayer: true });
  const one = { index: 0, label: "a", length: 4, dtype: "f32" };
  const present = { ...one, source: { buffer: new ArrayBuffer(16), byteOffset: 0, byteLength: 16 } };
  const few = { ...present, source: { ...present.source, byteLength: 8 } };
  const absentIn = (list: object[]) => (grouping as Members).runsOf?.(list as Declared[]).map(({ absent }) => absent);
  expect(absentIn([present, one])).toEqual([false, false, true, true]);
  expect(absentIn([few, one])).toEqual([false, true, true, true]);
});

test("a method without a rule is none", () => {
  for (const rule of [{}, undefined, { wgsl: 5 }]) {
    expect(() => readMethod({ ...clipByGlobalNorm(1), rule } as never)).toThrow(TypeError);
  }
});
