/** The suite of the suite: right answers pass, and every kind of wrong answer is reported. */
import { describe, expect, test } from "vitest";
import type { Clip, Clipper, ClipReport, Gradients } from "../src/index.ts";
import { clipTo, guarded, packed, tensor, unit } from "./conformance/build.ts";
import { near, refuses, same, sameWords } from "./conformance/expect.ts";
import { createCpuHarness } from "./conformance/harness.ts";
import { allCases, runConformance } from "./conformance/index.ts";
import { bitsAt, destination, initialImages } from "./conformance/memory.ts";
import { bits16From, bitsFrom, neighbour, number16, round16, round24, ulp24 } from "./conformance/numbers.ts";
import { checkOutcome } from "./conformance/outcome.ts";
import { RECORD_BYTES } from "./conformance/record.ts";
import { appliesTo, runCase, runUnits } from "./conformance/suite.ts";
import type { Expected, Outcome, Unit } from "./conformance/types.ts";

interface Answer extends Outcome {
  readonly record: Uint8Array;
  readonly after: Map<string, Uint32Array>;
}

/** What a library without fault would answer. */
function rightAnswer(subject: Unit): Answer {
  const expected = subject.rule.expected(subject);
  const before = initialImages(subject.tensors);
  const after = new Map([...before].map(([name, words]) => [name, words.slice()]));
  subject.tensors.forEach((item, index) => {
    const content = expected.contents[index];
    if (!item || !content) return;
    const from = (values: Float64Array) => {
      return item.dtype === "f16" || item.dtype === "bf16" ? bits16From(item.dtype, values) : bitsFrom(values);
    };
    const bits = "bits" in content ? content.bits : from(content.values);
    bitsAt(after, destination(item, index), item, "answer").set(bits);
  });
  const isNonFinite = expected.sawNaN || expected.sawInfinity;
  const first = expected.first && { ...expected.first, name: subject.tensors[expected.first.index]?.name };
  const counts = {
    steps: 1,
    clippedSteps: expected.clipped ? 1 : 0,
    skippedSteps: expected.skipped ? 1 : 0,
    nonFiniteSteps: isNonFinite ? 1 : 0,
    spikeSteps: 0,
  };
  const report: ClipReport = {
    norm: round24(expected.norm),
    scale: expected.scale ?? 1,
    clipped: expected.clipped ?? false,
    nonFinite: expected.nonFinite ?? 0,
    ...(first ? { firstNonFinite: first, lastNonFinite: { step: 1, ...first } } : {}),
    maxAbs: expected.maxAbs ?? 0,
    ...counts,
    badStepsInARow: isNonFinite ? 1 : 0,
    totals: counts,
  };
  const record = rightRecord(expected, report);
  return { report, record, before, after };
}

function rightRecord(expected: Expected, report: ClipReport): Uint8Array {
  const view = new DataView(new ArrayBuffer(RECORD_BYTES));
  // One factor takes all of the scale, rounded to float32, so that the product is what the report says.
  report.scale = Math.fround(report.scale);
  view.setFloat32(0, report.scale, true);
  view.setFloat32(4, 1, true);
  const flags =
    (report.clipped ? 1 : 0) | (expected.skipped ? 2 : 0) | (expected.sawNaN ? 4 : 0) | (expected.sawInfinity ? 8 : 0);
  view.setUint32(8, flags, true);
  view.setFloat32(12, report.norm, true);
  const power = Number.isFinite(report.norm) && report.norm > 0 ? Math.round(Math.log2(ulp24(report.norm))) + 24 : 0;
  view.setFloat32(16, report.norm / 2 ** power, true);
  view.setInt32(20, power, true);
  view.setUint32(24, report.nonFinite, true);
  view.setFloat32(36, report.maxAbs, true);
  [report.steps, report.clippedSteps, report.skippedSteps].forEach((count, index) => {
    view.setUint32(40 + 4 * index, count, true);
  });
  view.setFloat32(52, expected.bound ?? 0, true);
  view.setUint32(56, report.nonFiniteSteps, true);
  view.setUint32(60, report.badStepsInARow, true);
  if (!report.lastNonFinite) return new Uint8Array(view.buffer);
  const { step, index, element } = report.lastNonFinite;
  view.setUint32(64, step, true);
  for (const [at, value] of [index, element].entries()) {
    view.setUint32(28 + 4 * at, value, true);
    view.setUint32(68 + 4 * at, value, true);
  }
  return new Uint8Array(view.buffer);
}

const clipped = unit("clipped", packed([bitsFrom([3, 4]), bitsFrom([12, 0, -84])], 260), clipTo(1));
const unclipped = unit("unclipped", [guarded(bitsFrom([3, 4]), 260)], clipTo(10));
const skipped = unit("skipped", [tensor([1]), tensor([2, Number.NaN, Infinity], { name: "weights" })], clipTo(1));
const halves = unit(
  "halves",
  packed([bits16From("f16", [3, 4, 300]), bits16From("f16", [12, 0.1])], 258, 2, "arena", "f16"),
  clipTo(1),
);

type Spoil = (answer: Answer) => void;

function arena(answer: Answer): Uint32Array {
  return answer.after.get("arena") as Uint32Array;
}

/** Another word in the arena, counted from its first tensor. */
function word(at: number, change: (word: number) => number): Spoil {
  return (answer) => arena(answer).set([change(arena(answer)[FIRST + at] as number)], FIRST + at);
}

/** Other fields in the report, of whatever type. */
function reported(change: (report: ClipReport) => Record<string, unknown>): Spoil {
  return ({ report }) => void Object.assign(report, change(report));
}

/** Another word in the record. */
function patched(byteOffset: number, value: number): Spoil {
  return ({ record }) => new DataView(record.buffer).setUint32(byteOffset, value, true);
}

function read(name: string, words: (answer: Answer) => Uint32Array): Spoil {
  return (answer) => void answer.after.set(name, words(answer));
}

/** Another 16-bit element in the arena, counted from the first tensor of `halves`. */
function element(at: number, change: (pattern: number) => number): Spoil {
  return (answer) => {
    const elements = new Uint16Array(arena(answer).buffer);
    elements[258 / 2 + at] = change(elements[258 / 2 + at] as number);
  };
}

const FIRST = 260 / 4;

const wrongs: [string, Unit, Spoil][] = [
  ["a value 3 ULP too large", clipped, word(0, (value) => value + 3)],
  ["a value 3 ULP too small", clipped, word(1, (value) => value - 3)],
  ["a value of the other sign", clipped, word(0, (value) => value ^ 0x80000000)],
  ["a NaN for a value", clipped, word(0, () => 0x7fc00000)],
  ["a value that should be 0", clipped, word(3, () => 1)],
  ["nothing written", clipped, read("arena", ({ before }) => before.get("arena") as Uint32Array)],
  ["a guard byte before", clipped, word(-1, (value) => value ^ 0x100)],
  ["a guard byte behind", clipped, word(5, (value) => value ^ 1)],
  ["an unclipped byte", unclipped, word(0, (value) => value ^ 1)],
  ["a memory of another length", unclipped, read("arena", (answer) => arena(answer).slice(0, -1))],
  ["a memory that was not read", unclipped, (answer) => void answer.after.delete("arena")],
  ["memories not read at all", unclipped, (answer) => void Object.assign(answer, { after: undefined })],
  ["a float16 1 ULP too large", halves, element(0, (pattern) => pattern + 1)],
  ["a float16 1 ULP too small", halves, element(4, (pattern) => pattern - 1)],
  ["the half before a view", halves, element(-1, (pattern) => pattern ^ 1)],
  ["the half between two views", halves, element(3, (pattern) => pattern ^ 0x8000)],
  ["the half behind a view", halves, element(6, () => 0)],
  ["a skipped gradient that is -0", skipped, read("own 0", () => Uint32Array.of(0x80000000))],
  ["a norm 3 ULP off", clipped, reported(({ norm }) => ({ norm: norm + 3 * ulp24(norm) }))],
  ["a norm that is no number", clipped, reported(() => ({ norm: undefined }))],
  ["a norm that is NaN", clipped, reported(() => ({ norm: Number.NaN }))],
  ["an infinite norm for a NaN", skipped, reported(() => ({ norm: Infinity }))],
  ["a scale 3 ULP off", clipped, reported(({ scale }) => ({ scale: scale + 3 * ulp24(scale) }))],
  ["a scale that is not quite 1", unclipped, reported(() => ({ scale: neighbour(1, -1) }))],
  ["clipped for unclipped", unclipped, reported(() => ({ clipped: true }))],
  ["clipped as a number", clipped, reported(() => ({ clipped: 1 }))],
  ["one non-finite value too few", skipped, reported(() => ({ nonFinite: 1 }))],
  ["no first non-finite value", skipped, reported(() => ({ firstNonFinite: undefined }))],
  ["another first tensor", skipped, reported(() => ({ firstNonFinite: { index: 0, element: 1, name: "weights" } }))],
  ["another first element", skipped, reported(() => ({ firstNonFinite: { index: 1, element: 2, name: "weights" } }))],
  [
    "a name that is not the tensor's",
    skipped,
    reported(() => ({ firstNonFinite: { index: 1, element: 1, name: "x" } })),
  ],
  ["a first value out of nowhere", clipped, reported(() => ({ firstNonFinite: { index: 0, element: 0 } }))],
  ["another largest magnitude", clipped, reported(({ maxAbs }) => ({ maxAbs: neighbour(maxAbs, 1) }))],
  ["two steps for one", clipped, reported(() => ({ steps: 2 }))],
  ["a clipped step not counted", clipped, reported(() => ({ clippedSteps: 0 }))],
  ["a skipped step not counted", skipped, reported(() => ({ skippedSteps: 0 }))],
  ["a non-finite step not counted", skipped, reported(() => ({ nonFiniteSteps: 0 }))],
  ["no bad step in a row", skipped, reported(() => ({ badStepsInARow: 0 }))],
  ["a spike out of nowhere", clipped, reported(() => ({ spikeSteps: 1 }))],
  ["no latest non-finite value", skipped, reported(() => ({ lastNonFinite: undefined }))],
  ["no totals", clipped, reported(() => ({ totals: undefined }))],
  ["other totals", clipped, reported(({ totals }) => ({ totals: { ...totals, clippedSteps: 0 } }))],
  ["no report", clipped, (answer) => void Object.assign(answer, { report: undefined })],
  ["a record cut short", clipped, (answer) => void Object.assign(answer, { record: answer.record.slice(0, 60) })],
  ["record: another factor", clipped, patched(0, 0x3f000000)],
  ["record: a subnormal factor", clipped, patched(4, 1)],
  ["record: no clipped flag", clipped, patched(8, 0)],
  ["record: no skip flag", skipped, patched(8, 12)],
  ["record: no NaN flag", skipped, patched(8, 10)],
  ["record: no infinity flag", skipped, patched(8, 6)],
  ["record: an unknown flag", clipped, patched(8, 17)],
  ["record: another norm", clipped, patched(12, 0)],
  ["record: another fraction", clipped, patched(16, 0x3f000000)],
  ["record: another power of two", clipped, patched(20, 1)],
  ["record: another count", clipped, patched(24, 1)],
  ["record: another largest magnitude", clipped, patched(36, 0)],
  ["record: steps", clipped, patched(40, 0)],
  ["record: clipped steps", clipped, patched(44, 0)],
  ["record: skipped steps", clipped, patched(48, 1)],
  ["record: another bound", clipped, patched(52, 0)],
  ["record: non-finite steps", clipped, patched(56, 1)],
  ["record: bad steps in a row", skipped, patched(60, 0)],
  ["record: the number of the latest non-finite step", skipped, patched(64, 2)],
  ["record: a latest non-finite step out of nowhere", clipped, patched(64, 1)],
  ["record: another piece of the latest", skipped, patched(68, 0)],
  ["record: another element of the latest", skipped, patched(72, 0)],
  ["record: a spike", clipped, patched(76, 1)],
  ["record: a reserved word", clipped, patched(92, 1)],
];

describe("one outcome", () => {
  test.each([clipped, unclipped, skipped, halves])("right: $label", (subject) => {
    checkOutcome(subject, rightAnswer(subject));
  });

  test.each(wrongs)("wrong: %s", (_, subject, spoil) => {
    const answer = rightAnswer(subject);
    checkOutcome(subject, answer);
    spoil(answer);
    expect(() => checkOutcome(subject, answer)).toThrow();
  });

  test("a value is allowed 2 ULP, and a norm above the bound is not", () => {
    const single = unit("one value", [guarded(bitsFrom([8]))], clipTo(1));
    const answer = rightAnswer(single);
    word(-1, (value) => value + 2)(answer);
    checkOutcome(single, answer);
    const many = unit("many values", [guarded(new Uint32Array(64).fill(0x41000000))], clipTo(Math.fround(0.99999)));
    const above = rightAnswer(many);
    for (let at = -1; at < 63; at++) word(at, (value) => value + 8)(above);
    expect(() => checkOutcome(many, above)).toThrow();
  });

  test("answers by hand are compared as well", () => {
    for (const want of [
      { norm: 6 },
      { scale: 0.3 },
      { clipped: false },
      { nonFinite: 1 },
      { maxAbs: 3 },
      { values: [[1, 2]] },
    ]) {
      const subject = unit("by hand", [tensor([3, 4])], clipTo(1), { want });
      expect(() => checkOutcome(subject, rightAnswer(subject))).toThrow();
    }
  });

  test("a decision that may fall on either side is no case", () => {
    const close = unit("close", [tensor([1, 1])], clipTo(Math.SQRT2));
    expect(() => rightAnswer(close)).toThrow(/either side/);
  });
});

describe("the helpers", () => {
  test("refuse to compare what is not there", () => {
    expect(() => sameWords(undefined, undefined, "words")).toThrow();
    expect(() => sameWords(new Uint32Array(2), new Uint32Array(3), "words")).toThrow();
    expect(() => sameWords([1], [1], "words")).toThrow();
    expect(() => near(undefined, Number.NaN, 2, "number")).toThrow();
    expect(() => near("1", 1, 2, "number")).toThrow();
    expect(() => near(1e-300, 0, 2, "number")).toThrow();
    expect(() => near(Infinity, 1, 2, "number")).toThrow();
    expect(() => same(0, -0, "zero")).toThrow();
    expect(() => refuses(() => 1, [TypeError], "nothing thrown")).toThrow();
    expect(() => refuses(() => decodeURIComponent("%"), [RangeError], "another class")).toThrow();
  });

  test("rounding to 24 bits", () => {
    expect(round24(1 + 2 ** -24)).toBe(1);
    expect(round24(1 + 3 * 2 ** -24)).toBe(1 + 2 ** -22);
    expect(round24(6e38)).toBeGreaterThan(5.9e38);
    expect(round24(2 ** -300 * (1 + 2 ** -30))).toBe(2 ** -300);
    for (const value of [0.1, 1 / 3, 1e30, 123456.789]) expect(round24(value)).toBe(Math.fround(value));
  });
});

describe("16-bit numbers", () => {
  test.each([
    ["f16", 0x3c00, 1],
    ["f16", 0x7bff, 65_504],
    ["f16", 0x0001, 2 ** -24],
    ["f16", 0x03ff, 1023 * 2 ** -24],
    ["f16", 0xc000, -2],
    ["f16", 0xfc00, -Infinity],
    ["bf16", 0x3f80, 1],
    ["bf16", 0x7f7f, (2 - 2 ** -7) * 2 ** 127],
    ["bf16", 0x0001, 2 ** -133],
    ["bf16", 0x7f81, Number.NaN],
  ] as const)("%s %i is %d", (dtype, pattern, value) => {
    expect(number16(dtype, pattern)).toBe(value);
    if (!Number.isNaN(value)) expect(bits16From(dtype, [value])[0]).toBe(pattern);
  });

  test("round to nearest, ties to even", () => {
    expect(round16("f16", 2049)).toBe(2048);
    expect(round16("f16", 2051)).toBe(2052);
    expect(round16("f16", 65_519.99)).toBe(65_504);
    expect(round16("f16", -65_520)).toBe(-Infinity);
    expect(round16("f16", 1.5 * 2 ** -24)).toBe(2 ** -23);
    expect(round16("f16", 2 ** -25)).toBe(0);
    expect(round16("f16", 2 ** -25 * 1.001)).toBe(2 ** -24);
    expect(round16("bf16", 257)).toBe(256);
    expect(round16("bf16", 259)).toBe(260);
  });

  test("every pattern comes back", () => {
    for (const dtype of ["f16", "bf16"] as const) {
      for (let pattern = 0; pattern < 2 ** 16; pattern++) {
        const value = number16(dtype, pattern);
        if (!Number.isNaN(value) && bits16From(dtype, [value])[0] !== pattern) throw new Error(`${dtype} ${pattern}`);
      }
    }
  });
});

/** As most systems do it: float32 sums, an epsilon, always multiplied, and no look at what is not finite. */
function naiveClipper(): Clipper {
  const prepare = (gradients: Gradients, method: { maxNorm?: number } = {}): Clip => {
    const arrays = [...(gradients as Iterable<unknown>)].filter((item) => item instanceof Float32Array);
    let norm = 0;
    const run = () => {
      norm = 0;
      for (const array of arrays) for (const value of array) norm = Math.fround(norm + Math.fround(value * value));
      norm = Math.fround(Math.sqrt(norm));
      const factor = Math.min(1, Math.fround((method.maxNorm ?? 1) / (norm + 1e-6)));
      for (const array of arrays) array.set(array.map((value) => value * factor));
    };
    const counts = { steps: 1, clippedSteps: 0, skippedSteps: 0, nonFiniteSteps: 0, spikeSteps: 0 };
    const report = async () => ({
      norm,
      scale: 1,
      clipped: false,
      nonFinite: 0,
      maxAbs: 0,
      ...counts,
      badStepsInARow: 0,
      totals: counts,
    });
    return { run, report, set() {}, destroy() {} } as unknown as Clip;
  };
  return { backend: "cpu", prepare, destroy() {} } as unknown as Clipper;
}

// Groups of many values take long on a machine that does other things too.
describe("the suite", () => {
  test("fails a naive library in every group", async () => {
    const harness = createCpuHarness(naiveClipper());
    const failing = new Map<string, boolean>();
    for (const testCase of allCases().filter((item) => appliesTo(item, harness) && !item.heavy)) {
      const group = testCase.name.split(":")[0] as string;
      if (failing.get(group)) continue;
      const failed = await runCase(testCase, harness).then(
        () => false,
        () => true,
      );
      failing.set(group, failed);
    }
    expect(failing.size).toBeGreaterThan(8);
    for (const [group, failed] of failing) expect(failed, group).toBe(true);
  });

  test("names the units that are wrong and counts them", async () => {
    const harness = createCpuHarness(naiveClipper());
    await expect(runUnits([clipped, unclipped], harness)).rejects.toThrow(/2 of 2 wrong:\n {2}clipped: norm/);
    await expect(runUnits([], harness)).rejects.toThrow();
  });

  // All groups: npm run conformance -- --engine cpu.
  test("passes the CPU backend", async () => {
    const errors: string[] = [];
    const onResult = ({ name, error }: { name: string; error?: string }) => {
      if (error !== undefined) errors.push(`${name}: ${error}`);
    };
    const totals = await runConformance({ engine: "cpu", filter: "semantics: ", onResult });
    expect(errors).toEqual([]);
    expect(totals.failed).toBe(0);
    expect(totals.passed).toBeGreaterThan(10);
  });

  test("rejects where there is no adapter, and where no case has the name", async () => {
    const gpu = { requestAdapter: async () => null } as unknown as GPU;
    await expect(runConformance({ engine: "none", gpu })).rejects.toThrow(/no adapter/);
    await expect(runConformance({ engine: "cpu", filter: "no such case" })).rejects.toThrow(/no such case/);
  });
});
