/** What the mutation command changes. */
import { expect, test } from "vitest";
import { hostMutantsOf, shaderMutantsOf } from "./mutants/operators.ts";

const changes = (source: string, of = hostMutantsOf) => of("file", source).map(({ after }) => after);

test.each([
  ["a comparison, and a number", "  if (a < 2) {", ["  if (a <= 2) {", "  if (a < 3) {", "  if (false) {"]],
  ["a statement, however deep", "    clips.destroy();", [";"]],
  [
    "the condition of an error, not its text",
    '  if (a && b) throw new TypeError("1 < 2");',
    ['  if (a || b) throw new TypeError("1 < 2");', '  if (false) throw new TypeError("1 < 2");'],
  ],
  ["nothing of an error that is always thrown", "  throw new RangeError(String(1 + 2));", []],
  ["nothing of a type", "  readonly count: number;", []],
])("%s is changed", (_, before, after) => {
  expect(changes(before)).toEqual(after);
});

test("a shader loses a statement, and no declaration", () => {
  expect(changes("workgroupBarrier();", shaderMutantsOf)).toEqual([";"]);
  expect(changes("let a = b;", shaderMutantsOf)).toEqual([]);
  expect(changes("@group(0) @binding(1) var<storage> a: array<u32>;", shaderMutantsOf)).toEqual([]);
});

test("only the wanted one of equal lines is changed", () => {
  const source = "a += 1;\nb();\na += 1;";
  const second = hostMutantsOf("file", source).filter(({ nth, after }) => nth === 1 && after === "a += 2;");
  expect(second.length).toBe(1);
});
