/** Structs written by name have the fields of the shader's struct, in the same order. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { adaStruct } from "../src/rules/ada.ts";
import { autoStruct } from "../src/rules/auto.ts";
import { statisticsStruct, zStruct } from "../src/rules/z.ts";
import { aboveStruct } from "../src/skips/skipAbove.ts";
import { spikesStruct } from "../src/skips/skipSpikes.ts";
import type { Struct } from "../src/struct.ts";
import { settingsStruct } from "../src/webgpu/passes/decide.ts";
import { exampleSegmentStruct } from "../src/webgpu/passes/sum_examples.ts";
import { unitSegmentStruct, unitsBytes, unitsStruct } from "../src/webgpu/passes/unit_norm.ts";
import { elementUnitsBytes, elementUnitsStruct, outerStruct } from "../src/webgpu/passes/unit_scale.ts";
import { numberingOf, numberingStruct } from "../src/webgpu/passes/units.ts";
import { MOST_SEGMENTS, MOST_UNIT_SEGMENTS } from "../src/webgpu/segments.ts";
import { segmentStruct, tableHead } from "../src/webgpu/table.ts";

type AnyStruct = Pick<Struct<string>, "fields" | "words" | "write">;

const WORDS: Record<string, number> = { u32: 1, i32: 1, vec3u: 3, vec4u: 4 };
const COMPONENTS = "xyzw";

interface Field {
  readonly name: string;
  readonly type: string;
  /** How many, of an array. */
  readonly count?: number;
  /** The word where it begins. */
  readonly at: number;
}

function textOf(file: string): string {
  return readFileSync(new URL(`../shaders/${file}.wgsl`, import.meta.url), "utf8").replace(/\/\/.*/g, "");
}

/** The fields of a struct of a shader where WGSL lays them out: vectors begin on 16 bytes, and so do structs that have some. */
function fieldsOf(file: string, name: string): Field[] {
  const [, body = ""] = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(textOf(file)) ?? [];
  let next = 0;
  const fields = body.replaceAll(/(\w+): SoftFloat/g, "$1Mantissa: u32, $1Exponent: i32");
  return [...fields.matchAll(/(\w+): (?:array<(\w+), (\d+)>|(\w+))/g)].map((found) => {
    const [, field = "", element, count, type = element as string] = found;
    const words = WORDS[type] ?? numberingStruct.words;
    const at = words > 1 ? 4 * Math.ceil(next / 4) : next;
    next = at + words * Number(count ?? 1);
    return { name: field, type, at, ...(count && { count: Number(count) }) };
  });
}

/** Where a struct that TypeScript writes has a field: all else stays 0. */
function writtenAt({ fields, write, words }: AnyStruct, field: string): number {
  const target = new Uint32Array(words);
  write(target, 0, { [field]: 7 });
  expect(
    target.filter((word) => word !== 0),
    fields.join(),
  ).toEqual(new Uint32Array([7]));
  return target.indexOf(7);
}

test.each<[string, string, AnyStruct]>([
  ["shared/segment", "Segment", segmentStruct],
  ["sum_examples", "Segment", exampleSegmentStruct],
  ["unit_norm", "Segment", unitSegmentStruct],
  ["shared/table", "Table", tableHead],
  ["shared/decide", "Settings", settingsStruct],
  ["unit_norm", "Units", unitsStruct],
  ["scales/unit", "Units", elementUnitsStruct],
  ["rules/auto", "RuleMemory", autoStruct],
  ["rules/z", "RuleMemory", zStruct],
  ["rules/z", "Statistics", statisticsStruct],
  ["rules/ada", "RuleMemory", adaStruct],
  ["skips/above", "SkipMemory", aboveStruct],
  ["skips/spikes", "SkipMemory", spikesStruct],
])("%s: the words of %s", (file, name, written) => {
  const single = fieldsOf(file, name).filter(({ type, count }) => WORDS[type] === 1 && count === undefined);
  expect(single.map((field) => field.name)).toEqual(written.fields);
  for (const field of single) expect(writtenAt(written, field.name)).toBe(field.at);
});

/** The words of vectors, by the names that TypeScript writes them by: `period2` is the third of `periods`. */
test.each<[string, string, AnyStruct, Record<string, [plural: string, component: number]>]>([
  ["shared/units", "Numbering", numberingStruct, componentsOf("periods", 0, 3, "changes")],
  ["scales/unit", "Units", outerStruct, componentsOf("outerPeriods", 3, 4, "outerChanges")],
])("%s: the vectors of %s", (file, name, written, components) => {
  const fields = fieldsOf(file, name);
  const start = fields.find(({ name }) => name === components[written.fields[0] as string]?.[0])?.at as number;
  for (const [field, [vector, component]] of Object.entries(components)) {
    const { at } = fields.find((one) => one.name === vector) as Field;
    expect(writtenAt(written, field), field).toBe(at + component - start);
  }
});

function componentsOf(periods: string, first: number, count: number, changes: string) {
  const entries = Array.from({ length: count }, (_, i): [string, [string, number]][] => [
    [`period${first + i}`, [periods, i]],
    [`change${first + i}`, [changes, i]],
  ]);
  return Object.fromEntries(entries.flat());
}

test("the stride of a numbering follows its periods", () => {
  const stride = fieldsOf("shared/units", "Numbering").find(({ name }) => name === "stride");
  expect(writtenAt(numberingStruct, "stride")).toBe(stride?.at);
});

test("parts of a struct stand one behind the other", () => {
  const at = (file: string, field: string) => fieldsOf(file, "Units").find(({ name }) => name === field)?.at;
  expect(at("unit_norm", "runs")).toBe(unitsStruct.words);
  expect(at("unit_norm", "units")).toBe(unitsStruct.words + numberingStruct.words);
  expect(at("scales/unit", "inner")).toBe(elementUnitsStruct.words);
  expect(at("scales/unit", "outerPeriods")).toBe(elementUnitsStruct.words + numberingStruct.words);
});

/** Shaders read vectors, and name their words by the order of a constructor's arguments. */
test.each([
  ["shared/table", "segment_at", ["shared/segment", "sum_examples", "unit_norm"], "Segment"],
  ["unit_norm", "units_at", ["unit_norm"], "Units"],
  ["scales/unit", "units_at", ["scales/unit"], "Units"],
])("%s: %s gives each field its word", (file, reader, structs, name) => {
  const [, vectors = "", given = ""] =
    new RegExp(`fn ${reader}\\(.*\\{\\n((?:  let .*\\n)+)  return ${name}\\((.*)\\);\\n\\}`).exec(textOf(file)) ?? [];
  const rows = new Map(
    [...vectors.matchAll(/let (\w) = [\w.]+\[(\d)u \* s(?: \+ (\d)u)?\];/g)].map(([, row, count, at = "0"]) => {
      expect(Number(count)).toBe(vectors.trim().split("\n").length);
      return [row as string, 4 * Number(at)];
    }),
  );
  const wordsOf = ([, row, components = COMPONENTS]: string[]) =>
    [...components].map((component) => (rows.get(row as string) as number) + COMPONENTS.indexOf(component));
  const read = [...given.matchAll(/\b([a-f])\b(?:\.(\w+))?/g)].flatMap(wordsOf);
  for (const owner of structs) {
    const laidOut = fieldsOf(owner, name).flatMap(({ type, at }) =>
      WORDS[type]
        ? Array.from({ length: WORDS[type] }, (_, i) => at + i)
        : fieldsOf("shared/units", type).flatMap((inner) =>
            Array.from({ length: WORDS[inner.type] as number }, (_, i) => at + inner.at + i),
          ),
    );
    expect(read).toEqual(laidOut);
  }
});

test("tables have room for what a dispatch takes", () => {
  const segments = fieldsOf("shared/table", "Table").at(-1);
  expect(segments).toMatchObject({ name: "segments", type: "vec4u", at: tableHead.words });
  expect(4 * (segments?.count ?? 0)).toBe(segmentStruct.words * MOST_SEGMENTS);
  const bytesOf = (file: string) => 16 * Number(/unitTable: array<vec4u, (\d+)>/.exec(textOf(file))?.[1]);
  expect(bytesOf("unit_norm")).toBe(unitsBytes());
  expect(bytesOf("scales/unit")).toBe(elementUnitsBytes());
  expect(unitsBytes()).toBe(MOST_UNIT_SEGMENTS * 4 * (unitsStruct.words + 2 * numberingStruct.words));
  expect(Math.max(unitsBytes(), elementUnitsBytes())).toBeLessThanOrEqual(16_384);
});

const AXES = [[5], [5, 7], [2, 3, 4], [2, 3, 2, 3, 2, 3, 2, 3]];

test.each(AXES.map((lengths) => [lengths]))("numbers along axes of %j are told by other strides", (lengths) => {
  for (const kept of [0, 1]) {
    let unit = 1;
    const axes = lengths.map((length, i) => {
      if (i % 2 !== kept) return { length, stride: 0 };
      unit *= length;
      return { length, stride: unit / length };
    });
    const { stride = 0, ...numbering } = numberingOf(axes);
    const counted = (number: number) => {
      const periods = lengths.map((_, i) => {
        const period = numbering[`period${i}`] ?? Infinity;
        return Math.floor(number / period) * (numbering[`change${i}`] ?? 0);
      });
      return periods.reduce((sum, change) => sum + change, number * stride);
    };
    const places = lengths.reduce((product, length) => product * length, 1);
    for (let place = 0; place < places; place++) {
      let rest = place;
      let expected = 0;
      for (const { length, stride } of axes) {
        expected += (rest % length) * stride;
        rest = Math.floor(rest / length);
      }
      expect(counted(place)).toBe(expected);
    }
  }
});
