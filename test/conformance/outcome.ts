/** One run of the library, judged against its reference, byte by byte. */
import { fail, isNear, near, same, sameWords, show } from "./expect.ts";
import { destination, wordsAt } from "./memory.ts";
import { floatsOf, MIN_NORMAL, MIN_SUBNORMAL } from "./numbers.ts";
import { checkRecord } from "./record.ts";
import type { Content, Expected, Images, Outcome, Unit } from "./types.ts";

/** Of norm, scale and values, unless a method promises less. */
const ULPS = 2;

/** Everything that is known about one run of the library. */
export function checkOutcome(unit: Unit, outcome: Outcome): void {
  const expected = unit.rule.expected(unit);
  checkReport(unit, expected, outcome);
  if (outcome.record !== undefined) checkRecord(outcome.record, expected, outcome.report);
  checkByHand(unit, outcome, expected.ulps ?? ULPS);
  if (unit.reportOnly) return;
  if (outcome.after === undefined) fail("the memory was not read");
  checkMemories(unit, expected, outcome.before, outcome.after);
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
  same(report.steps, 1, "steps");
  if (expected.skipped !== undefined) same(report.skippedSteps, expected.skipped ? 1 : 0, "skippedSteps");
  if (expected.clipped !== undefined) same(report.clippedSteps, expected.clipped ? 1 : 0, "clippedSteps");
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
    const found = wordsAt(after, destination(tensor, index), values.length, `tensor ${index} by hand`);
    checkValues(found, Float64Array.from(values), ulps, `tensor ${index} by hand`);
  });
}

function checkMemories(unit: Unit, expected: Expected, before: Images, after: Images): void {
  same(after.size, before.size, "memories read");
  same(expected.contents.length, unit.tensors.length, "tensors expected");
  // What every memory must hold: what was there, with each tensor's result in its place.
  const wanted = new Map([...before].map(([name, words]) => [name, words.slice()]));
  let sumAfter = 0;
  let belowNormal = 0;
  unit.tensors.forEach((tensor, index) => {
    const content = expected.contents[index];
    if (!tensor && content === null) return;
    if (!tensor || !content) fail(`tensor ${index}: the reference and the unit disagree on whether there is one`);
    const place = destination(tensor, index);
    const found = wordsAt(after, place, tensor.bits.length, `tensor ${index}`);
    checkContent(found, content, expected.ulps ?? ULPS, `tensor ${index}`);
    // Judged above; what remains to be compared exactly is everything else.
    wordsAt(wanted, place, tensor.bits.length, `tensor ${index}`).set(found);
    if (expected.normAfter === undefined) return;
    for (const value of floatsOf(found)) {
      sumAfter += value * value;
      if (Math.abs(value) < MIN_NORMAL) belowNormal++;
    }
  });
  for (const [name, words] of wanted) sameWords(after.get(name), words, `memory "${name}"`);
  if (expected.normAfter !== undefined) checkNormAfter(Math.sqrt(sumAfter), expected.normAfter, belowNormal);
}

function checkContent(found: Uint32Array, content: Content, ulps: number, what: string): void {
  if ("bits" in content) sameWords(found, content.bits, what);
  else checkValues(found, content.values, ulps, what);
}

function checkValues(found: Uint32Array, wanted: Float64Array, ulps: number, what: string): void {
  if (found.length !== wanted.length) fail(`${what} has ${found.length} values, wanted ${wanted.length}`);
  const values = floatsOf(found);
  for (let i = 0; i < wanted.length; i++) {
    const value = values[i] as number;
    const want = wanted[i] as number;
    // Naming every element would take longer than the library does.
    if (isNear(value, want, ulps, MIN_NORMAL)) continue;
    near(value, want, ulps, `${what}, element ${i} of ${wanted.length}`, MIN_NORMAL);
  }
}

/** Never above the bound by more than 4e-7 of it, nor below by more than 1e-6; subnormal results may round and be lost. */
function checkNormAfter(norm: number, bound: number, belowNormal: number): void {
  const rounded = MIN_SUBNORMAL * Math.sqrt(belowNormal);
  const lost = MIN_NORMAL * Math.sqrt(belowNormal);
  if (!(norm <= bound * (1 + 4e-7) + rounded)) {
    fail(`the norm after clipping is ${show(norm)}, above the bound ${show(bound)}`);
  }
  if (!(norm >= bound * (1 - 1e-6) - lost)) {
    fail(`the norm after clipping is ${show(norm)}, too far below the bound ${show(bound)}`);
  }
}
