/** What rules remember: saved and loaded, in the GPU's words and back, moved to other numbers. Without a device. */
import { describe, expect, test } from "vitest";
import { adaGC, autoClip, type ClipMethod, skipSpikes, zClip } from "../src/index.ts";
import { autoStruct } from "../src/rules/auto.ts";
import type { RuleState } from "../src/rules/rule.ts";

const begin = ({ rule }: ClipMethod, norms = 1): RuleState =>
  (rule as unknown as { begin: (norms: number) => RuleState }).begin(norms);
const facts = (norm: number, normNumber?: number) => ({
  ...{ norm, normNumber: normNumber as number },
  ...{ maxNorm: Infinity, weight: 0, parameterNorm: 0 },
});
const savedBy = (memory: RuleState) => [...new Float64Array(memory.save())].slice(1);

/** Loads what was saved with some numbers changed, by their places behind the tag. */
function loadChanged(memory: RuleState, changes: Record<number, number>): void {
  const saved = new Float64Array(memory.save());
  for (const [at, value] of Object.entries(changes)) saved[Number(at) + 1] = value;
  memory.load(saved.buffer);
}

const ada = () => begin(adaGC({ relative: 1.5, decay: 0.5, warmup: 2 }), 3);
const auto = () => begin(autoClip({ history: 4 }));
const z = () => begin(zClip({ warmup: 2, per: "tensor" }), 3);

function used(memory: RuleState): RuleState {
  for (const step of [3, 5, 9, 2, 7]) {
    memory.warmUp?.([step, 2 * step, 0]);
    for (const number of [0, 1, 2]) memory.boundFor(facts(number === 2 ? 0 : step + 16 * number, number));
  }
  return memory;
}

describe.each([
  ["adaGC", ada, 3 + 1],
  ["autoClip", auto, 4 + 1],
  ["zClip", z, 3 * 3],
] as const)("the memory of %s", (_, made, numbers) => {
  test("is a tag and so many numbers", () => {
    expect([made().savedBytes, made().save().byteLength]).toEqual([8 * (numbers + 1), 8 * (numbers + 1)]);
    expect(savedBy(made())).toEqual(Array(numbers).fill(0));
    expect(savedBy(used(made()))).not.toEqual(savedBy(made()));
  });

  test("is the same when it was saved and loaded, or went to the GPU and back", () => {
    const memory = used(made());
    const [loaded, returned] = [made(), made()];
    loaded.load(memory.save());
    returned.fromWords(memory.toWords(0));
    for (const other of [loaded, returned]) {
      // The GPU has 32 digits.
      expect(savedBy(other)).toEqual(savedBy(memory).map((value) => expect.closeTo(value, 6)));
      expect(other.boundFor(facts(6, 0))).toBeCloseTo(used(made()).boundFor(facts(6, 0)), 6);
    }
    const empty = made();
    empty.load(made().save());
    expect(savedBy(empty)).toEqual(savedBy(made()));
  });

  test("that is damaged is refused, and then stays as it was", () => {
    const memory = used(made());
    const before = savedBy(memory);
    for (const bad of [-1, 0.5, 2 ** 32, Number.NaN]) {
      expect(() => loadChanged(memory, { 0: bad })).toThrow(RangeError);
    }
    for (const bad of [-1, Infinity, Number.NaN, 2 ** 400]) {
      expect(() => loadChanged(memory, { 1: bad })).toThrow(
        `The state of ${memory.subject} is damaged; pass what state() gave, unchanged.`,
      );
    }
    expect(() => memory.load(memory.save().slice(8))).toThrow(
      `but that of ${memory.subject} has ${memory.savedBytes};`,
    );
    expect(() => loadChanged(memory, { "-1": 5 })).toThrow(`The state is not one of ${memory.subject}; pass`);
    expect(savedBy(memory)).toEqual(before);
  });
});

test("the memory of a rule and of a skip rule is loaded as a whole, or not at all", () => {
  const both = (rule: RuleState) => {
    const { begin } = skipSpikes() as unknown as { begin: (of: RuleState) => { memory: RuleState } };
    return begin(rule).memory;
  };
  const [memory, other] = [both(used(auto())), both(auto())];
  const before = savedBy(memory);
  const saved = new Float64Array(other.save());
  // The second tag.
  saved[auto().savedBytes / 8] = 5;
  expect(() => memory.load(saved.buffer)).toThrow("The state is not one of skipSpikes with ");
  expect(savedBy(memory)).toEqual(before);
  const { subject, savedBytes } = memory;
  expect(() => memory.load(memory.save().slice(8))).toThrow(`but that of ${subject} has ${savedBytes};`);
  expect(subject).toMatch(/^autoClip .* and skipSpikes /);
  memory.load(other.save());
  expect(savedBy(memory)).toEqual(savedBy(other));
});

test("the numbers of a memory may be as large as steps leave them, and no larger", () => {
  const [ofAda, ofZ, ofAuto] = [ada(), z(), auto()];
  loadChanged(ofAda, { 0: 2 ** 32 - 1, 1: 2 ** 399, 2: 0 });
  expect(savedBy(ofAda)).toEqual([2 ** 32 - 1, 2 ** 399, 0, 0]);
  loadChanged(ofZ, { 0: 2 ** 32 - 1, 1: 2 ** 199, 2: 2 ** 399 });
  expect(savedBy(ofZ).slice(0, 3)).toEqual([2 ** 32 - 1, 2 ** 199, 2 ** 399]);
  expect(() => loadChanged(ofZ, { 1: 2 ** 200 })).toThrow("damaged");
  expect(() => loadChanged(ofZ, { 2: 2 ** 400 })).toThrow("damaged");
  expect(() => loadChanged(ofZ, { 2: -1 })).toThrow("damaged");
  loadChanged(ofAuto, { 0: 4, 1: 0.5, 2: 0, 3: 0.25, 4: 8 });
  expect(savedBy(ofAuto)).toEqual([4, 0.5, 0, 0.25, 8]);
  expect(() => loadChanged(ofAuto, { 0: 5 })).toThrow("damaged");
  // No float32.
  expect(() => loadChanged(ofAuto, { 1: 0.1 })).toThrow("damaged");
  // The oldest is the first to go.
  ofAuto.boundFor(facts(1));
  expect(savedBy(ofAuto)).toEqual([4, 0, 0.25, 8, 1]);
});

test("a memory of several norms follows gradients to other numbers", () => {
  const of = (memory: RuleState) => memory as unknown as { renumber: (numbers: (number | undefined)[]) => void };
  const [ofAda, ofZ] = [ada(), z()];
  loadChanged(ofAda, { 0: 1, 1: 10, 2: 20, 3: 30 });
  of(ofAda).renumber([2, undefined, 0]);
  expect(savedBy(ofAda)).toEqual([1, 30, 0, 10]);
  loadChanged(ofZ, { 0: 1, 1: 10, 2: 4, 3: 2, 4: 20, 5: 5 });
  of(ofZ).renumber([1, undefined, 0]);
  expect(savedBy(ofZ)).toEqual([2, 20, 5, 0, 0, 0, 1, 10, 4]);
});

test("a percentile lies between two norms, and is no larger than maxNorm", () => {
  const memory = begin(autoClip({ percentile: 50, history: 4 }));
  expect([1, 2, 8].map((norm) => memory.boundFor(facts(norm)))).toEqual([1, 1.5, 2]);
  expect(memory.boundFor({ ...facts(8), maxNorm: 0.5 })).toBe(0.5);
});

test("norms that came round in the GPU's list are in the order of arrival", () => {
  const memory = auto();
  loadChanged(memory, { 0: 4, 1: 3, 2: 4, 3: 1, 4: 2 });
  const words = memory.toWords(0);
  autoStruct.write(words, 0, { next: 2 });
  memory.fromWords(words);
  expect(savedBy(memory)).toEqual([4, 1, 2, 3, 4]);
});
