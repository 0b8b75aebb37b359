/** docs/edge-cases.md: every row has a test, and the test is there. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { allCases } from "./conformance/index.ts";

const page = readFileSync(new URL("../docs/edge-cases.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| (\d+) \| .* \| (.*) \|$/gm)].map(([, number, reference = ""]) => ({
  number: Number(number),
  reference,
}));
const cases = new Set(allCases().map(({ name }) => name));

function textOf(file: string): string {
  return readFileSync(new URL(file, import.meta.url), "utf8");
}

test("the rows are numbered from 1 to 136", () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 136 }, (_, k) => k + 1));
});

test.each(rows)("row $number names a test that is there: $reference", ({ reference }) => {
  const [, group, name] = /^suite `(\w+)`: (.+)$/.exec(reference) ?? [];
  if (group) {
    expect(cases).toContain(`${group}: ${name}`);
    return;
  }
  const [, file = "", title = ""] = /^`([\w/]+\.test\.ts)`: (.+)$/.exec(reference) ?? [];
  expect(textOf(file)).toContain(title);
});
