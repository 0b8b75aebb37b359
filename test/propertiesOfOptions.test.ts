/** As properties.test.ts, for what a method or an option adds: groups, a history, a memory, another format, a skipped step. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  adaGC,
  autoClip,
  type Clip,
  type ClipMethod,
  type ClipOptions,
  type ClipReport,
  clipByGlobalNorm,
  clipByGroupNorm,
  type GradientView,
  readRecord,
  skipAbove,
  zClip,
} from "../src/index.ts";
import { bits16From, round16, valuesOf } from "./conformance/numbers.ts";
import { bench, clipperOn, type Side, sides } from "./support/bench.ts";
import { boundOf, expectAllNear, expectNear, isMany, list, norm64, numbers, part, runs } from "./support/properties.ts";

type Half = "f16" | "bf16";
type Memory = GPUBuffer | Uint8Array;

/** Numbers that float16 and bfloat16 hold, some of them subnormal in float16. */
const halves = fc
  .tuple(list, fc.constantFrom<Half>("f16", "bf16"))
  .map(([tensors, dtype]) => ({ dtype, tensors: tensors.map((values) => roundedTo(dtype, values)) }));

function roundedTo(dtype: Half, values: Float32Array): Float32Array {
  const top = values.reduce((most, value) => Math.max(most, Math.abs(value)), 2 ** -60);
  return values.map((value) => round16(dtype, value / top));
}

function memoryOf(side: Side, bytes: Uint8Array): Memory {
  if (side === "CPU") return bytes.slice();
  return bench.buffer(new Float32Array(bytes.slice().buffer));
}

const bytesOf = async (memory: Memory) => (memory instanceof Uint8Array ? memory : bench.bytes(memory));

function discard(memory: Memory): void {
  if (!(memory instanceof Uint8Array)) bench.discard(memory);
}

function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

/** Each of these steps in the same clip: what is left of the gradients, and the report. */
class Run {
  readonly clip: Clip;
  readonly #side: Side;
  readonly #groups: readonly (string | undefined)[];

  constructor(
    side: Side,
    tensors: readonly Float32Array[],
    method: ClipMethod,
    options?: ClipOptions,
    groups: readonly (string | undefined)[] = [],
  ) {
    this.#side = side;
    this.#groups = groups;
    const declared = tensors.map(({ length }, k) => ({ length, group: groups[k] }));
    this.clip = clipperOn(side).prepare(declared, method, options);
  }

  async step(tensors: readonly Float32Array[]): Promise<{ values: Float32Array[]; report: ClipReport }> {
    const memories = tensors.map((values) => memoryOf(this.#side, new Uint8Array(values.slice().buffer)));
    this.clip.run(memories.map((buffer, k) => ({ buffer, dtype: "f32", group: this.#groups[k] }) as GradientView));
    const report = await this.clip.report();
    const values = await Promise.all(memories.map(async (memory) => floatsOf(await bytesOf(memory))));
    memories.forEach(discard);
    return { values, report };
  }
}

const times = (tensors: readonly Float32Array[], by: number) =>
  tensors.map((values) => values.map((value) => value * by));

/** By which the steps of a run differ. */
const factors = fc.array(fc.constantFrom(0.5, 1, 1.25, 3, 40), { minLength: 5, maxLength: 5 });
const memories: Readonly<Record<string, () => ClipMethod>> = {
  autoClip: () => autoClip({ history: 3, percentile: 50 }),
  zClip: () => zClip({ warmup: 2, zThreshold: 0.5, decay: 0.5 }),
  adaGC: () => adaGC({ warmup: 1, decay: 0.5, maxNorm: 1e30 }),
};
const ON: Record<Side, string[]> = { CPU: Object.keys(memories), GPU: ["autoClip"] };

async function stateOf(clip: Clip): Promise<Uint8Array> {
  return new Uint8Array(await clip.state());
}

const GUARD = 0x5a;

/** Tensors of 16-bit elements in one memory, each a whole number of elements behind the one before, and what is there after. */
async function clippedHalves(
  side: Side,
  tensors: readonly Float32Array[],
  dtype: Half,
  bound: number,
  withInto: boolean,
) {
  const total = tensors.reduce((sum, { length }) => sum + length + 1, 64);
  const before = new Uint8Array(4 * Math.ceil(total / 2)).fill(GUARD);
  const places: { byteOffset: number; length: number }[] = [];
  let byteOffset = 32;
  for (const values of tensors) {
    const bits = bits16From(dtype, values);
    before.set(new Uint8Array(bits.buffer), byteOffset);
    places.push({ byteOffset, length: values.length });
    byteOffset += 2 * (values.length + 1);
  }
  const memory = memoryOf(side, before);
  const target = memoryOf(side, new Uint8Array(2 * before.length).fill(GUARD));
  const views = places.map((place) => ({
    buffer: memory,
    dtype,
    ...place,
    ...(withInto && { into: { buffer: target, byteOffset: 2 * place.byteOffset, dtype: "f32" } }),
  })) as GradientView[];
  const clip = clipperOn(side).prepare(views, clipByGlobalNorm(bound));
  clip.run();
  const report = await clip.report();
  clip.destroy();
  const [after, into] = [(await bytesOf(memory)).slice(), (await bytesOf(target)).slice()];
  for (const each of [memory, target]) discard(each);
  return { before, after, into, places, report };
}

/** With guards in place of what the tensors may change. */
function around(
  bytes: Uint8Array,
  places: readonly { byteOffset: number; length: number }[],
  elementBytes: number,
): Uint8Array {
  const left = bytes.slice();
  for (const { byteOffset, length } of places) {
    const start = (byteOffset / 2) * elementBytes;
    left.fill(GUARD, start, start + elementBytes * length);
  }
  return left;
}

const numRuns = (side: Side) => ({ numRuns: runs[side] });

describe.each(sides)("on the %s", (side) => {
  test("the norm of each group is after that the smaller one of its norm and its bound", async () => {
    const property = fc.asyncProperty(list, part, part, async (tensors, partOfA, partOfOthers) => {
      const groups = tensors.map((_, k) => (k % 2 ? "a" : undefined));
      const of = (all: readonly Float32Array[], group: string | undefined) => all.filter((_, k) => groups[k] === group);
      const bounds = { a: boundOf(of(tensors, "a"), partOfA), others: boundOf(of(tensors, undefined), partOfOthers) };
      const run = new Run(side, tensors, clipByGroupNorm({ a: bounds.a }, { others: bounds.others }), {}, groups);
      const { values, report } = await run.step(tensors);
      run.clip.destroy();
      for (const name of ["a", "others"] as const) {
        const group = name === "a" ? name : undefined;
        const told = report.groups?.[name];
        expectNear(told?.norm as number, norm64(of(tensors, group)), 2);
        if (!told?.clipped) {
          expect(of(values, group)).toEqual(of(tensors, group));
          continue;
        }
        const after = norm64(of(values, group));
        expect(after).toBeLessThanOrEqual(bounds[name] * (1 + 4e-7));
        expect(after).toBeGreaterThanOrEqual(bounds[name] * (1 - 1e-6));
      }
    });
    await fc.assert(property, numRuns(side));
  });

  test("the report, the record and the history say the same of every step", async () => {
    const property = fc.asyncProperty(list, part, factors, async (tensors, part, factors) => {
      const run = new Run(side, tensors, clipByGlobalNorm(boundOf(tensors, part)), { history: 8 });
      const { clip } = run;
      const reports: ClipReport[] = [];
      for (const factor of factors) {
        const { report } = await run.step(times(tensors, factor));
        if (clip.record) expect(readRecord(await bench.bytes(clip.record), clip).norm).toBe(report.norm);
        if (clip.record) expect(readRecord(await bench.bytes(clip.record), clip).scale).toBe(report.scale);
        reports.push(report);
      }
      const { steps, norms, scales, flags, lost } = await clip.history();
      clip.destroy();
      expect([...steps]).toEqual(factors.map((_, i) => i + 1));
      expect([...norms]).toEqual(reports.map(({ norm }) => norm));
      expect([...scales]).toEqual(reports.map(({ scale }) => scale));
      expect([...flags]).toEqual(reports.map(({ clipped }) => Number(clipped)));
      expect(lost).toBe(0);
    });
    await fc.assert(property, numRuns(side));
  });

  test("a memory that is saved and restored in the middle decides as one that goes on", async () => {
    const property = fc.asyncProperty(
      list,
      factors,
      fc.nat(4),
      fc.constantFrom(...ON[side]),
      async (tensors, factors, middle, name) => {
        const method = (memories[name] as () => ClipMethod)();
        const whole = new Run(side, tensors, method);
        let parted = new Run(side, tensors, method);
        for (const [i, factor] of factors.entries()) {
          if (i === middle) {
            const state = await parted.clip.state();
            parted.clip.destroy();
            parted = new Run(side, tensors, method);
            parted.clip.restore(state);
          }
          const [one, two] = [await whole.step(times(tensors, factor)), await parted.step(times(tensors, factor))];
          expect(two.values).toEqual(one.values);
          expect(two.report.scale).toEqual(one.report.scale);
        }
        expect(await stateOf(parted.clip)).toEqual(await stateOf(whole.clip));
        for (const { clip } of [whole, parted]) clip.destroy();
      },
    );
    await fc.assert(property, numRuns(side));
  });

  test("where a step is skipped nothing moves: no gradient that the record leaves, and no memory", async () => {
    const property = fc.asyncProperty(list, factors, async (tensors, factors) => {
      const limit = boundOf(tensors, 2);
      const run = new Run(side, tensors, autoClip({ history: 3, percentile: 50 }), {
        skip: skipAbove(limit),
        apply: "record",
      });
      for (const factor of factors) {
        const given = times(tensors, factor);
        const before = await stateOf(run.clip);
        const { values, report } = await run.step(given);
        expect(values).toEqual(given);
        const isSkipped = report.norm > limit;
        expect(report).toMatchObject({ skippedSteps: Number(isSkipped), spikeSteps: Number(isSkipped) });
        if (!isSkipped) continue;
        expect(report.scale).toBe(0);
        expect(await stateOf(run.clip)).toEqual(before);
      }
      run.clip.destroy();
    });
    await fc.assert(property, numRuns(side));
  });
});

// Kernels of 16-bit elements take seconds to compile.
describe.each(isMany ? sides : sides.filter((side) => side === "CPU"))("16 bits on the %s", (side) => {
  test("an into of float32 gets the products of 16-bit gradients, which stay as they are", async () => {
    const property = fc.asyncProperty(halves, part, async ({ tensors, dtype }, part) => {
      const { before, after, into, places, report } = await clippedHalves(
        side,
        tensors,
        dtype,
        boundOf(tensors, part),
        true,
      );
      expect(after).toEqual(before);
      const values = places.map(({ byteOffset, length }) =>
        floatsOf(into.subarray(2 * byteOffset, 2 * byteOffset + 4 * length)),
      );
      expectNear(report.norm, norm64(tensors), 2);
      expectAllNear(values, numbers(tensors, report.scale), 2);
      expect(around(into, places, 4)).toEqual(new Uint8Array(into.length).fill(GUARD));
    });
    await fc.assert(property, numRuns(side));
  });

  test("16-bit gradients end at the bound as near as their format goes, and nothing around them changes", async () => {
    const property = fc.asyncProperty(halves, part, async ({ tensors, dtype }, part) => {
      const bound = boundOf(tensors, part);
      const { before, after, places, report } = await clippedHalves(side, tensors, dtype, bound, false);
      expect(around(after, places, 2)).toEqual(around(before, places, 2));
      if (!report.clipped) {
        expect(after).toEqual(before);
        return;
      }
      const left = places.map(({ byteOffset, length }) =>
        valuesOf({ bits: new Uint16Array(after.slice(byteOffset, byteOffset + 2 * length).buffer), dtype }),
      );
      const count = places.reduce((sum, { length }) => sum + length, 0);
      // Half a unit in the last place of each value; float16 has none below 2^-24.
      const off = bound * 2 ** (dtype === "f16" ? -11 : -8) + Math.sqrt(count) * 2 ** -25;
      expect(Math.abs(norm64(left as Float32Array[]) - bound)).toBeLessThanOrEqual(off * 1.001);
    });
    await fc.assert(property, numRuns(side));
  });
});
