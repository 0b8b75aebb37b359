/** docs/edge-cases.md: every row and every figure has a test, and the test is there. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { allCases } from "./conformance/index.ts";

const page = textOf("../docs/edge-cases.md");

interface Row {
  readonly number: string;
  readonly reference: string;
}

/** The rows of the tables whose first cell is such a number. */
function rowsOf(number: RegExp): Row[] {
  const found = [...page.matchAll(/^\| (\w+) \| .* \| (.*) \|$/gm)];
  return found
    .map(([, number = "", reference = ""]) => ({ number, reference }))
    .filter((row) => number.test(row.number));
}

const rows = rowsOf(/^\d+$/);
const figures = rowsOf(/^F\d+$/);
const cases = new Set(allCases().map(({ name }) => name));
const { scripts } = JSON.parse(textOf("../package.json"));

function textOf(file: string): string {
  return readFileSync(new URL(file, import.meta.url), "utf8");
}

test("the rows are numbered from 1 to 138", () => {
  expect(rows.map(({ number }) => Number(number))).toEqual(Array.from({ length: 138 }, (_, k) => k + 1));
});

test.each(rows)("row $number names a test that is there: $reference", ({ reference }) => {
  expectThere(reference);
});

function expectThere(reference: string): void {
  const [, group, name] = /^suite `(\w+)`: (.+)$/.exec(reference) ?? [];
  if (group) {
    expect(cases).toContain(`${group}: ${name}`);
    return;
  }
  const [, file = "", title = ""] = /^`([\w/]+\.ts)`: (.+)$/.exec(reference) ?? [];
  expect(textOf(file)).toContain(title);
}

test("the figures are numbered from F1 to F23, and one cannot be measured", () => {
  expect(figures.map(({ number }) => number)).toEqual(Array.from({ length: 23 }, (_, k) => `F${k + 1}`));
  expect(figures.flatMap(({ number, reference }) => (reference === "none" ? [number] : []))).toEqual(["F19"]);
});

test.each(figures.filter(({ reference }) => reference !== "none"))(
  "figure $number names a test or a command that is there: $reference",
  ({ reference }) => {
    const [, script] = /^`npm run ([\w:]+)[^`]*`$/.exec(reference) ?? [];
    if (script) expect(Object.keys(scripts)).toContain(script);
    else expectThere(reference);
  },
);
