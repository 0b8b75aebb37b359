/**
 * What holds for every list of gradients, tried on random ones: a failure prints its seed. With `npm run test:properties` each
 * property gets 1,000 lists on the CPU and 200 on the GPU.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ClipMethod,
  type ClipOptions,
  type ClipReport,
  clipByGlobalNorm,
  readRecord,
  skipAbove,
} from "../src/index.ts";
import { bench, clipperOn, type Side, sides } from "./support/bench.ts";
import { boundOf, expectAllNear, expectNear, list, norm64, numbers, part, runs } from "./support/properties.ts";

const GUARD = 64;
const GUARD_VALUE = 1e30;

interface Done {
  readonly report: ClipReport;
  readonly values: Float32Array[];
  readonly decoded?: ClipReport;
}

/** Tensors one after the other in one memory, a word between some of them, guards at both ends. Fails if a guard changed. */
async function clipped(
  side: Side,
  tensors: readonly (Float32Array | null)[],
  method: ClipMethod,
  options?: ClipOptions,
): Promise<Done> {
  const present = tensors.filter((values) => values !== null);
  const total = present.reduce((sum, { length }, k) => sum + length + (k % 2), 2 * GUARD);
  const memory = new Float32Array(total).fill(GUARD_VALUE);
  let at = GUARD;
  const starts = tensors.map((values, k) => {
    const start = at;
    memory.set(values ?? [], start);
    at += values ? values.length + (k % 2) : 0;
    return start;
  });
  const wanted = memory.slice();
  const buffer = side === "CPU" ? memory : bench.buffer(memory);
  const views = tensors.map(
    (values, k) => values && { buffer, byteOffset: 4 * (starts[k] as number), length: values.length },
  );
  const clip = clipperOn(side).prepare(views, method, options);
  clip.run();
  const report = await clip.report();
  const after = buffer instanceof Float32Array ? buffer : Float32Array.from(await bench.values(buffer));
  const decoded = clip.record && readRecord(await bench.bytes(clip.record), clip);
  clip.destroy();
  if (!(buffer instanceof Float32Array)) bench.discard(buffer);
  const results = tensors.flatMap((values, k) => {
    if (!values) return [];
    const start = starts[k] as number;
    wanted.set(after.subarray(start, start + values.length), start);
    return [after.slice(start, start + values.length)];
  });
  expect(after, "what lies between and around").toEqual(wanted);
  return { report, values: results, ...(decoded && { decoded }) };
}

type Property = (side: Side, tensors: Float32Array[], part: number) => Promise<void>;

const properties: Record<string, Property> = {
  "the norm after is the smaller one of the norm and the bound": async (side, tensors, part) => {
    const bound = boundOf(tensors, part);
    const { report, values } = await clipped(side, tensors, clipByGlobalNorm(bound));
    expectNear(report.norm, norm64(tensors), 2);
    const after = norm64(values);
    if (!report.clipped) {
      expect(values).toEqual(tensors);
      return;
    }
    expect(after).toBeLessThanOrEqual(bound * (1 + 4e-7));
    expect(after).toBeGreaterThanOrEqual(bound * (1 - 1e-6));
  },
  "the direction is kept: every value is multiplied by the scale": async (side, tensors, part) => {
    const { report, values } = await clipped(side, tensors, clipByGlobalNorm(boundOf(tensors, part)));
    expectAllNear(values, numbers(tensors, report.scale), 2);
  },
  "clipping twice is clipping once": async (side, tensors, part) => {
    const method = clipByGlobalNorm(boundOf(tensors, part));
    const once = await clipped(side, tensors, method);
    const twice = await clipped(side, once.values, method);
    expectAllNear(twice.values, numbers(once.values), 4);
  },
  "order and signs do not matter": async (side, tensors, part) => {
    const method = clipByGlobalNorm(boundOf(tensors, part));
    const turned = [...tensors].reverse().map((values) => values.map((value) => -value).reverse());
    const [there, back] = [await clipped(side, tensors, method), await clipped(side, turned, method)];
    expectNear(back.report.norm, there.report.norm, 2);
    // About at the bound one may be clipped and the other not: by no more than rounding.
    expectAllNear(
      [...back.values].reverse().map((values) => values.map((value) => -value).reverse()),
      numbers(there.values),
      4,
    );
  },
  "one tensor in many views is one tensor": async (side, tensors, part) => {
    const whole = Float32Array.from(tensors.flatMap((values) => [...values]));
    const method = clipByGlobalNorm(boundOf(tensors, part));
    const [one, many] = [await clipped(side, [whole], method), await clipped(side, tensors, method)];
    expectNear(many.report.norm, one.report.norm, 2);
    expectAllNear([Float32Array.from(many.values.flatMap((values) => [...values]))], numbers(one.values), 4);
  },
  "powers of two go through": async (side, tensors, part) => {
    const bound = boundOf(tensors, part);
    const scaled = tensors.map((values) => values.map((value) => value * 2 ** 17));
    const [small, large] = [
      await clipped(side, tensors, clipByGlobalNorm(bound)),
      await clipped(side, scaled, clipByGlobalNorm(bound * 2 ** 17)),
    ];
    expectNear(large.report.norm, small.report.norm * 2 ** 17, 2);
    expectAllNear(large.values, numbers(small.values, 2 ** 17), 4);
  },
  "the record says what the report says": async (side, tensors, part) => {
    const { report, decoded } = await clipped(side, tensors, clipByGlobalNorm(boundOf(tensors, part)));
    expect(decoded).toEqual(side === "CPU" ? undefined : report);
  },
  "an absent gradient is as one that is not listed": async (side, tensors, part) => {
    const method = clipByGlobalNorm(boundOf(tensors, part));
    const some = tensors.map((values, k) => (k % 3 === 1 ? null : values));
    const [absent, unlisted] = [
      await clipped(side, some, method),
      await clipped(
        side,
        some.filter((values) => values !== null),
        method,
      ),
    ];
    expectNear(absent.report.norm, unlisted.report.norm, 2);
    expectAllNear(absent.values, numbers(unlisted.values), 4);
  },
  "a skipped step is all zeros; one that is not skipped is as without the rule": async (side, tensors, part) => {
    const method = clipByGlobalNorm(boundOf(tensors, 0.5));
    const limit = boundOf(tensors, part);
    const [plain, judged] = [
      await clipped(side, tensors, method),
      await clipped(side, tensors, method, { skip: skipAbove(limit) }),
    ];
    const isSkipped = plain.report.norm > limit;
    expect(judged.report.skippedSteps).toBe(isSkipped ? 1 : 0);
    expect(judged.values).toEqual(isSkipped ? tensors.map(({ length }) => new Float32Array(length)) : plain.values);
  },
  "both backends agree": async (side, tensors, part) => {
    const method = clipByGlobalNorm(boundOf(tensors, part));
    const [here, onCpu] = [await clipped(side, tensors, method), await clipped("CPU", tensors, method)];
    expectNear(here.report.norm, onCpu.report.norm, 2);
    expectAllNear(here.values, numbers(onCpu.values), 4);
  },
};

describe.each(sides)("on the %s", (side) => {
  test.each(Object.entries(properties))("%s", async (_, property) => {
    const tryOne = (tensors: Float32Array[], part: number) => property(side, tensors, part);
    await fc.assert(fc.asyncProperty(list, part, tryOne), { numRuns: runs[side] });
  });
});
