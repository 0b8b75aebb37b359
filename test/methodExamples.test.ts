import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as gradclip from "../src/index.ts";

const source = new URL("../src/", import.meta.url);
const files = ["methods", "skips"].flatMap((folder) =>
  readdirSync(new URL(folder, source)).map((file) => `${folder}/${file}`),
);
const publicFiles = files.filter((file) =>
  /\/(adaptive|auto|clip|measure|z|ada|normalize|skip(?!Rule)\w)/.test(file.slice(0, -3)),
);
const names = publicFiles.map((file) => file.slice(file.indexOf("/") + 1, -".ts".length));

/** The code of a method's @example, with `value; // [1, 2]` turned into a call of `found`. */
function exampleOf(name: string): string {
  const file = publicFiles.find((path) => path.endsWith(`/${name}.ts`)) ?? expect.fail(`no file of ${name}`);
  const text = readFileSync(new URL(file, source), "utf8");
  const [, code = ""] = text.match(/ \* @example\n \* ```ts\n((?: \* .*\n)+?) \* ```/) ?? [];
  return code.replaceAll(/^ \* /gm, "").replaceAll(/^(\w.*); \/\/ (\[?[\d., -]+\]?)$/gm, "found($1, $2);");
}

test("every public method and skip rule has an example", () => {
  expect(names.filter((name) => name in gradclip)).toEqual(names);
  expect(names.length).toBeGreaterThanOrEqual(11);
});

test.each(names)("the example of %s gives the numbers that stand beside it", async (name) => {
  const pairs: { got: unknown; wanted: unknown }[] = [];
  const found = (got: unknown, wanted: unknown) => pairs.push({ got, wanted });
  const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...values: unknown[]) => unknown;
  const parameters = Object.keys(gradclip);
  await new AsyncFunction(...parameters, "found", exampleOf(name))(...Object.values(gradclip), found);
  expect(pairs).not.toEqual([]);
  for (const { got, wanted } of pairs) {
    const [values, numbers] = [[got].flat() as number[], [wanted].flat() as number[]];
    const list = ArrayBuffer.isView(got) ? [...(got as Float32Array)] : values;
    expect(list).toHaveLength(numbers.length);
    numbers.forEach((number, i) => {
      expect(list[i]).toBeCloseTo(number, 6);
    });
  }
});
