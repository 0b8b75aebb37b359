/** What is written by name lies where the shader's struct of the same fields says. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { autoStruct } from "../src/rules/auto.ts";
import { zStruct } from "../src/rules/z.ts";
import { aboveStruct } from "../src/skips/skipAbove.ts";
import { spikesStruct } from "../src/skips/skipSpikes.ts";
import { struct } from "../src/struct.ts";
import { settingsStruct } from "../src/webgpu/passes/decide.ts";
import { exampleSegmentStruct } from "../src/webgpu/passes/sum_examples.ts";
import { unitSegmentStruct } from "../src/webgpu/passes/unit_norm.ts";
import { UNITS_BYTES, unitsStruct } from "../src/webgpu/passes/units.ts";
import { MOST_SEGMENTS, MOST_UNIT_SEGMENTS } from "../src/webgpu/segments.ts";
import { segmentStruct, tableHead } from "../src/webgpu/table.ts";

/** Types of more than one word, by the words that a struct(...) has for them. */
const PARTS: Record<string, readonly string[]> = { SoftFloat: ["Mantissa", "Exponent"] };
const BYTES: Record<string, number> = { u32: 4, i32: 4, f32: 4, vec4u: 16 };

interface Field {
  readonly name: string;
  readonly type: string;
  readonly offset: number;
  readonly bytes: number;
}

/** The fields of a struct of a shader; those of an array lie one after the other, from the array's offset on. */
function fieldsOf(file: string, name: string, structs: Record<string, number> = {}): Field[] {
  const text = readFileSync(new URL(`../shaders/${file}.wgsl`, import.meta.url), "utf8");
  const [, body = ""] = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(text) ?? [];
  let offset = 0;
  return [...body.replace(/\/\/.*/g, "").matchAll(/(\w+): (array<(\w+), (\d+)>|\w+)/g)].flatMap((found) => {
    const [, field = "", type = "", element = type, count = "1"] = found;
    return (PARTS[type] ?? [""]).map((part) => {
      const bytes = (PARTS[type] ? 4 : Number({ ...BYTES, ...structs }[element])) * Number(count);
      const at = offset;
      offset += bytes;
      return { name: field + part, type, offset: at, bytes };
    });
  });
}

test.each([
  ["shared/segment", "Segment", segmentStruct],
  ["sum_examples", "Segment", exampleSegmentStruct],
  ["unit_norm", "Segment", unitSegmentStruct],
  ["shared/table", "Table", tableHead],
  ["shared/units", "Units", unitsStruct],
  ["shared/decide", "Settings", settingsStruct],
  ["rules/auto", "RuleMemory", autoStruct],
  ["rules/z", "RuleMemory", zStruct],
  ["skips/above", "SkipMemory", aboveStruct],
  ["skips/spikes", "SkipMemory", spikesStruct],
] as const)("%s: %s", (file, name, { fields, words }) => {
  const ofShader = fieldsOf(file, name, { Segment: 4 * segmentStruct.words });
  const single = ofShader.filter(({ type }) => !type.startsWith("array"));
  expect(single.map((field) => field.name)).toEqual(fields);
  const target = new Uint32Array(words);
  for (const { name: field, offset } of single) {
    struct(...fields).write(target.fill(0), 0, { [field]: 7 });
    expect(target.indexOf(7)).toBe(offset / 4);
  }
});

test("arrays follow the fields and have room for what a dispatch takes", () => {
  const segments = fieldsOf("shared/table", "Table", { Segment: 4 * segmentStruct.words }).at(-1);
  expect(segments).toMatchObject({ name: "segments", offset: 4 * tableHead.words });
  expect(segments?.bytes).toBe(4 * segmentStruct.words * MOST_SEGMENTS);
  const runs = fieldsOf("shared/units", "Units").at(-1) as Field;
  expect(runs).toMatchObject({ name: "runs", offset: 4 * unitsStruct.words });
  expect(MOST_UNIT_SEGMENTS * (runs.offset + runs.bytes)).toBe(UNITS_BYTES);
});
