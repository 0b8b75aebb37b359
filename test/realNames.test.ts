/** A compile error of the built shaders, as pipelines.ts writes it: short names in, real names out. */
import { expect, test } from "vitest";
import { type Names, withNames } from "../src/webgpu/realNames.ts";

const names: Names = {
  global: { a: "sumOf", b: "partials" },
  member: { c: "firstTile" },
  "fn sumOf": { a: "value", d: "lane" },
};

const short = [
  "var<workgroup>b:array<f32,64>;",
  "fn a(d:u32)->f32{",
  "if(d>0xa){let g=1;}",
  "let a=b[d]*e.c;",
  "a+=1;return a+f;}",
  "const d:u32=1;",
];
const real = [
  "var<workgroup>partials:array<f32,64>;",
  "fn sumOf(lane:u32)->f32{",
  "if(lane>0xa){let g=1;}",
  "let value=partials[lane]*e.firstTile;",
  "value+=1;return value+f;}",
  "const d:u32=1;",
];

/** The message with these complaints, and the source with its lines numbered. */
function message(complaints: readonly string[], source: readonly string[]): string {
  const numbered = source.map((line, i) => `${i + 1}: ${line}`);
  return ["The kernel has errors.", ...complaints, ...numbered, "", "1 line: is no source"].join("\n");
}

test.each([
  ["a name of the line", "norm f32:4:5: error: unresolved 'a'", "norm f32:4:5: error: unresolved 'value'"],
  ["what follows a name", "norm f32:4:6: error: '='", "norm f32:4:10: error: '='"],
  ["a later column", "norm f32:4:7: error: no 'b'", "norm f32:4:11: error: no 'partials'"],
  ["a member", "norm f32:4:14: error: no 'c'", "norm f32:4:28: error: no 'firstTile'"],
  ["past the end of a line", "norm f32:4:20: error: end", "norm f32:4:42: error: end"],
  ["the first part of a line", "norm f32:5:1: error: 'a'", "norm f32:5:1: error: 'value'"],
  ["the last name of a line", 'norm f32:5:15: error: "f"', 'norm f32:5:23: error: "f"'],
  ["the first line", "norm f32:1:15: error: `b` is", "norm f32:1:15: error: `partials` is"],
  ["a function and its parameter", "norm f32:2:1: error: 'a' of 'd'", "norm f32:2:1: error: 'sumOf' of 'lane'"],
  ["a name of another line", "norm f32:2:1: error: see 'b'", "norm f32:2:1: error: see 'partials'"],
  ["a name that is none of ours", "norm f32:2:1: error: 'zz'", "norm f32:2:1: error: 'zz'"],
  ["no quotes", "norm f32:2:1: error: a and b", "norm f32:2:1: error: a and b"],
  ["a line that is not there", "norm f32:9:4: error: 'a'", "norm f32:9:4: error: 'sumOf'"],
  ["no column", "norm f32: 'a' failed", "norm f32: 'a' failed"],
])("%s", (_, complaint, shown) => {
  expect(withNames(message([complaint], short), names)).toBe(message([shown], real));
});

test("several complaints, each with names and column of its own", () => {
  const complaints = ["norm f32:1:15: error: 'b'", "norm f32:4:5: note: 'a'"];
  const shown = ["norm f32:1:15: error: 'partials'", "norm f32:4:5: note: 'value'"];
  expect(withNames(message(complaints, short), names)).toBe(message(shown, real));
});

test("a message without a source keeps its words", () => {
  expect(withNames("The device was lost; make another.", names)).toBe("The device was lost; make another.");
});
