/** One run of the library, judged against its reference, byte by byte. */
import type { ClipReport } from "../../src/index.ts";
import { fail, isNear, near, same, sameWords, show } from "./expect.ts";
import { asWritten, bitsAt, destination, written } from "./memory.ts";
import { MIN_NORMAL, MIN_SUBNORMAL, round16, ulp24, valuesOf } from "./numbers.ts";
import { checkRecord } from "./record.ts";
import type { Bits, Content, Dtype, Expected, Images, Outcome, Tensor, Unit } from "./types.ts";

/** Of norm, scale and values, unless a method promises less. */
const ULPS = 2;
/** How far above the bound, and how far below it, the norm of what was written may be, in units of the bound. */
const NORM_AFTER = { f32: [4e-7, 1e-6], f16: [2 ** -10, 2 ** -10], bf16: [2 ** -8, 2 ** -8] } as const;
/** The spacing below the smallest normal number, and that number. */
const SUBNORMAL = {
  f32: [MIN_SUBNORMAL, MIN_NORMAL],
  f16: [2 ** -24, 2 ** -24],
  bf16: [2 ** -133, MIN_NORMAL],
} as const;

/** Checks all that is known about one run of the library; returns what it was checked against. */
export function checkOutcome(given: Unit, outcome: Outcome): Expected {
  // What is read in one format and written in another is judged in that of the results.
  const unit = { ...given, tensors: given.tensors.map((tensor) => tensor && asWritten(tensor)) };
  const expected = unit.rule.expected(unit);
  checkReport(unit, expected, outcome);
  if (outcome.record !== undefined) checkRecord(outcome.record, expected, outcome.report);
  if (outcome.decoded !== undefined) checkDecoded(outcome.decoded, outcome.report);
  checkByHand(unit, outcome, expected.ulps ?? ULPS);
  if (unit.reportOnly) return expected;
  if (outcome.after === undefined) fail("the memory was not read");
  checkMemories(unit, expected, outcome.before, outcome.after);
  return expected;
}

function checkReport(unit: Unit, expected: Expected, { report }: Outcome): void {
  if (typeof report !== "object" || report === null) fail("no report");
  const { ulps: allowed = ULPS } = expected;
  near(report.norm, expected.norm, allowed, "norm");
  if (expected.scale !== undefined) {
    const ulps = expected.clipped ? allowed : 0;
    near(report.scale, expected.scale, ulps, "scale");
  }
  if (expected.clipped !== undefined) same(report.clipped, expected.clipped, "clipped");
  if (expected.nonFinite !== undefined) same(report.nonFinite, expected.nonFinite, "nonFinite");
  if (expected.maxAbs !== undefined) {
    // Largest bits are found without arithmetic: only a gradScale may round them, and may flush what is below normal.
    const exact = expected.maxAbs === Math.fround(expected.maxAbs);
    near(report.maxAbs, expected.maxAbs, exact ? 0 : 1, "maxAbs", exact ? 0 : MIN_NORMAL);
  }
  if (expected.first !== undefined) {
    same(report.firstNonFinite?.index, expected.first?.index, "firstNonFinite.index");
    same(report.firstNonFinite?.element, expected.first?.element, "firstNonFinite.element");
    const name = expected.first && unit.tensors[expected.first.index]?.name;
    if (name) same(report.firstNonFinite?.name, name, "firstNonFinite.name");
  }
  checkNorms(report, expected, allowed);
  same(report.steps, 1, "steps");
  if (expected.skipped !== undefined) same(report.skippedSteps, expected.skipped ? 1 : 0, "skippedSteps");
  if (expected.clipped !== undefined) same(report.clippedSteps, expected.clipped ? 1 : 0, "clippedSteps");
  checkFirstOf(report, expected.spike === true);
}

/** Of a clip's first step: what is counted since the last report is all there is, and the latest is the first. */
function checkFirstOf(report: Outcome["report"], isSpike: boolean): void {
  const isNonFinite = report.nonFinite > 0 || !Number.isFinite(report.norm);
  same(report.nonFiniteSteps, isNonFinite ? 1 : 0, "nonFiniteSteps");
  same(report.badStepsInARow, isNonFinite || report.skippedSteps > 0 ? 1 : 0, "badStepsInARow");
  same(report.spikeSteps, isSpike ? 1 : 0, "spikeSteps");
  for (const key of ["steps", "clippedSteps", "skippedSteps", "nonFiniteSteps", "spikeSteps"] as const) {
    same(report.totals?.[key], report[key], `totals.${key}`);
  }
  same(report.lastNonFinite?.step, report.firstNonFinite && 1, "lastNonFinite.step");
  for (const key of ["index", "name", "element"] as const) {
    same(report.lastNonFinite?.[key], report.firstNonFinite?.[key], `lastNonFinite.${key}`);
  }
}

/** Of a clip's first step: what is told of the record alone is what the report says. */
function checkDecoded(decoded: ClipReport, report: ClipReport): void {
  for (const key of ["norm", "scale", "clipped", "nonFinite", "maxAbs", "badStepsInARow"] as const) {
    same(decoded[key], report[key], `readRecord: ${key}`);
  }
  for (const key of ["steps", "clippedSteps", "skippedSteps", "nonFiniteSteps", "spikeSteps"] as const) {
    same(decoded[key], report[key], `readRecord: ${key}`);
    same(decoded.totals[key], report[key], `readRecord: totals.${key}`);
  }
  for (const key of ["index", "name", "element"] as const) {
    same(decoded.firstNonFinite?.[key], report.firstNonFinite?.[key], `readRecord: firstNonFinite.${key}`);
    same(decoded.lastNonFinite?.[key], report.firstNonFinite?.[key], `readRecord: lastNonFinite.${key}`);
  }
}

function checkNorms(report: Outcome["report"], expected: Expected, ulps: number): void {
  for (const key of ["tensorNorms", "memberNorms", "memberScales"] as const) {
    const wanted = expected[key];
    if (!wanted) continue;
    const found = report[key];
    if (!(found instanceof Float64Array)) fail(`no ${key}`);
    same(found.length, wanted.length, key);
    wanted.forEach((value, i) => {
      near(found[i], value, ulps, `${key}[${i}]`);
    });
  }
  if (expected.groups) checkGroups(report.groups, expected.groups, ulps);
  if (expected.clippedMembers !== undefined) same(report.clippedMembers, expected.clippedMembers, "clippedMembers");
}

function checkGroups(found: ClipReport["groups"], wanted: NonNullable<ClipReport["groups"]>, ulps: number): void {
  same(Object.keys(found ?? {}).join(), Object.keys(wanted).join(), "names of the groups");
  for (const [name, { norm, scale, clipped }] of Object.entries(wanted)) {
    const group = found?.[name];
    near(group?.norm, norm, ulps, `norm of group ${name}`);
    near(group?.scale, scale, clipped ? ulps : 0, `scale of group ${name}`);
    same(group?.clipped, clipped, `whether group ${name} was clipped`);
  }
}

function checkByHand(unit: Unit, { report, after }: Outcome, ulps: number): void {
  const want = unit.want;
  if (!want) return;
  const exactly = unit.exact ? 0 : ulps;
  if (want.norm !== undefined) near(report.norm, want.norm, exactly, "norm by hand");
  if (want.scale !== undefined) near(report.scale, want.scale, ulps, "scale by hand");
  if (want.clipped !== undefined) same(report.clipped, want.clipped, "clipped by hand");
  if (want.nonFinite !== undefined) same(report.nonFinite, want.nonFinite, "nonFinite by hand");
  if (want.maxAbs !== undefined) near(report.maxAbs, want.maxAbs, 0, "maxAbs by hand");
  if (want.values === undefined) return;
  same(want.values.length, unit.tensors.length, "tensors by hand");
  want.values.forEach((values, index) => {
    const tensor = unit.tensors[index];
    if (!tensor || !after) fail(`tensor ${index} by hand: nothing to compare with`);
    same(values.length, tensor.bits.length, "values by hand");
    const found = bitsAt(after, destination(tensor, index), tensor, `tensor ${index} by hand`);
    checkValues(found, Float64Array.from(values), formatOf(unit, tensor, ulps), `tensor ${index} by hand`);
  });
}

function checkMemories(unit: Unit, expected: Expected, before: Images, after: Images): void {
  same(after.size, before.size, "memories read");
  same(expected.contents.length, unit.tensors.length, "tensors expected");
  // What every memory must hold: what was there, with each tensor's result in its place.
  const wanted = new Map([...before].map(([name, words]) => [name, words.slice()]));
  let sumAfter = 0;
  const belowNormal = { f32: 0, f16: 0, bf16: 0 };
  unit.tensors.forEach((tensor, index) => {
    const content = expected.contents[index];
    if (!tensor && content === null) return;
    if (!tensor || !content) fail(`tensor ${index}: the reference and the unit disagree on whether there is one`);
    const place = destination(tensor, index);
    const { dtype = "f32" } = tensor;
    const found = bitsAt(after, place, written(tensor), `tensor ${index}`);
    checkContent(found, content, formatOf(unit, tensor, expected.ulps), `tensor ${index}`, tensor.bits);
    // Judged above; what remains to be compared exactly is everything else.
    bitsAt(wanted, place, written(tensor), `tensor ${index}`).set(found);
    if (expected.normAfter === undefined) return;
    const smallest = dtype === "f16" ? 2 ** -14 : MIN_NORMAL;
    const values = valuesOf({ bits: found, dtype });
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      sumAfter += value * value;
      if (Math.abs(value) < smallest) belowNormal[dtype]++;
    }
  });
  for (const [name, words] of wanted) sameWords(after.get(name), words, `memory "${name}"`);
  if (expected.normAfter === undefined) return;
  const dtypes = (["f32", "f16", "bf16"] as const).filter((dtype) => {
    return unit.tensors.some((tensor) => tensor && (tensor.dtype ?? "f32") === dtype);
  });
  checkNormAfter(Math.sqrt(sumAfter), expected.normAfter, belowNormal, dtypes);
}

interface Format {
  readonly dtype: Dtype;
  /** How far off a value may be, in ULP of float32; before it is rounded, where the dtype has 16 bits. */
  readonly ulps: number;
}

function formatOf({ exactProducts }: Unit, { dtype = "f32" }: Tensor, ulps = ULPS): Format {
  return { dtype, ulps: exactProducts ? 0 : ulps };
}

function checkContent(found: Bits, content: Content, format: Format, what: string, before: Bits): void {
  if ("bits" in content) {
    sameWords(found, content.bits, what);
    return;
  }
  const { values, kept, off } = content;
  if (off) {
    checkNearby(found, values, off, format.dtype, what);
    return;
  }
  if (!kept) {
    checkValues(found, values, format, what);
    return;
  }
  same(found.length, before.length, `${what}: elements`);
  same(values.length, before.length, `${what}: values wanted`);
  // A filter makes a list of all elements first.
  const [rest, wanted] = [found.slice(), values.slice()];
  let others = 0;
  for (let element = 0; element < values.length; element++) {
    if (!kept(element)) {
      rest[others] = found[element] as number;
      wanted[others++] = values[element] as number;
    } else if (found[element] !== before[element]) {
      fail(`${what}: element ${element}, which is kept, is ${found[element]}, wanted ${before[element]}`);
    }
  }
  checkValues(rest.subarray(0, others), wanted.subarray(0, others), format, `${what}, the rest`);
}

/** Within an absolute distance, and then rounded to the format. */
function checkNearby(
  found: Bits,
  wanted: Float64Array,
  off: (element: number) => number,
  dtype: Dtype,
  what: string,
): void {
  if (found.length !== wanted.length) fail(`${what} has ${found.length} values, wanted ${wanted.length}`);
  valuesOf({ bits: found, dtype }).forEach((value: number, i: number) => {
    const want = wanted[i] as number;
    const [least, most] = [want - off(i), want + off(i)].map((x) => (dtype === "f32" ? x : round16(dtype, x)));
    const near = Number.isFinite(want)
      ? value >= (least as number) && value <= (most as number)
      : Object.is(value, want);
    if (!near) fail(`${what}, element ${i} is ${show(value)}, wanted ${show(want)} within ${off(i)}`);
  });
}

function checkValues(found: Bits, wanted: Float64Array, { dtype, ulps }: Format, what: string): void {
  if (found.length !== wanted.length) fail(`${what} has ${found.length} values, wanted ${wanted.length}`);
  const values = valuesOf({ bits: found, dtype });
  if (dtype !== "f32") {
    check16(values, wanted, { dtype, ulps }, what);
    return;
  }
  for (let i = 0; i < wanted.length; i++) {
    const value = values[i] as number;
    const want = wanted[i] as number;
    // Naming every element would take longer than the library does.
    if (isNear(value, want, ulps, MIN_NORMAL)) continue;
    near(value, want, ulps, `${what}, element ${i} of ${wanted.length}`, MIN_NORMAL);
  }
}

/** Rounded to the format as IEEE 754 does, from something that is within float32's error of what was wanted. */
function check16(
  values: ArrayLike<number>,
  wanted: Float64Array,
  { dtype, ulps }: Format & { readonly dtype: "f16" | "bf16" },
  what: string,
): void {
  for (let i = 0; i < wanted.length; i++) {
    const value = values[i] as number;
    const want = wanted[i] as number;
    if (Number.isNaN(want) ? Number.isNaN(value) : value === round16(dtype, want)) continue;
    const error = Number.isFinite(want) ? ulps * ulp24(want) : 0;
    if (value >= round16(dtype, want - error) && value <= round16(dtype, want + error)) continue;
    // What is subnormal as float32 too may be lost.
    if (dtype === "bf16" && Math.abs(value - want) <= MIN_NORMAL) continue;
    fail(`${what}, element ${i} of ${wanted.length} is ${show(value)}, wanted ${show(want)} rounded to ${dtype}`);
  }
}

/** Subnormal results may round and, in float32's range, be lost. */
function checkNormAfter(
  norm: number,
  bound: number,
  belowNormal: Readonly<Record<Dtype, number>>,
  dtypes: readonly Dtype[],
): void {
  const total = (each: (dtype: Dtype) => number) => dtypes.reduce((sum, dtype) => sum + each(dtype), 0);
  const rounded = total((dtype) => SUBNORMAL[dtype][0] * Math.sqrt(belowNormal[dtype]));
  const lost = total((dtype) => SUBNORMAL[dtype][1] * Math.sqrt(belowNormal[dtype]));
  const above = Math.max(...dtypes.map((dtype) => NORM_AFTER[dtype][0]));
  const below = Math.max(...dtypes.map((dtype) => NORM_AFTER[dtype][1]));
  if (!(norm <= bound * (1 + above) + rounded)) {
    fail(`the norm after clipping is ${show(norm)}, above the bound ${show(bound)}`);
  }
  if (!(norm >= bound * (1 - below) - lost)) {
    fail(`the norm after clipping is ${show(norm)}, too far below the bound ${show(bound)}`);
  }
}
