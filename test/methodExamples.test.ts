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

/** The code of each @example of a file, with `value; // [1, 2]` turned into a call of `found`. */
function examplesOf(file: string): string[] {
  const text = readFileSync(new URL(file, source), "utf8");
  return [...text.matchAll(/ \* @example\n *\* ```ts\n((?: *\* .*\n)+?) *\* ```/g)].map(([, code = ""]) =>
    code.replaceAll(/^ *\* /gm, "").replaceAll(/^(\w.*); \/\/ (\[?[\d., -]+\]?)$/gm, "found($1, $2);"),
  );
}

function exampleOf(name: string): string {
  const file = publicFiles.find((path) => path.endsWith(`/${name}.ts`)) ?? expect.fail(`no file of ${name}`);
  return examplesOf(file)[0] ?? "";
}

const others = ["createClipper.ts", "clipper.ts", "cpuOnly.ts", "options.ts"].flatMap((file) =>
  examplesOf(file).map((code, number): [name: string, code: string] => [`${file}, ${number}`, code]),
);

test("the examples of arrays in the entries are found", () => {
  expect(others.map(([name]) => name)).toHaveLength(6);
});

test("every public method and skip rule has an example", () => {
  expect(names.filter((name) => name in gradclip)).toEqual(names);
  expect(names.length).toBeGreaterThanOrEqual(11);
});

const all = [...names.map((name): [string, string] => [name, exampleOf(name)]), ...others];

test.each(all)("the example of %s gives the numbers that stand beside it", async (_, code) => {
  const pairs: { got: unknown; wanted: unknown }[] = [];
  const found = (got: unknown, wanted: unknown) => pairs.push({ got, wanted });
  const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...values: unknown[]) => unknown;
  const parameters = Object.keys(gradclip);
  await new AsyncFunction(...parameters, "found", code)(...Object.values(gradclip), found);
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
