/** Who may know whom: the imports of src, those of types too, and the words of the files that are for every pass. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import configuration from "../vitest.config.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));
}

function textOf(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** The files that a file names in an import or an export, as paths from the repository. */
function importsOf(file: string): string[] {
  const names = [...textOf(file).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"?]+)(?:\?\w+)?"/g)];
  return names.map(([, name = ""]) => relative(root, join(root, dirname(file), name)));
}

const sources = sourcesIn("src");
const imports = new Map(sources.map((file) => [file, importsOf(file)]));

/** All that a file reaches, with the way to it. */
function reachedFrom(file: string): Map<string, string[]> {
  const ways = new Map<string, string[]>();
  const open: [string, string[]][] = [[file, []]];
  for (const [at, way] of open) {
    for (const next of imports.get(at) ?? []) {
      if (ways.has(next)) continue;
      ways.set(next, [...way, next]);
      open.push([next, [...way, next]]);
    }
  }
  return ways;
}

test("imports are found", () => {
  expect(imports.get("src/webgpu/recording.ts")).toContain("src/webgpu/plan.ts");
  expect(imports.get("src/index.ts")).toContain("src/createClipper.ts");
});

test("no imports go round in a circle", () => {
  const circles = sources.flatMap((file) => {
    const way = reachedFrom(file).get(file);
    return way ? [[file, ...way].join(" -> ")] : [];
  });
  expect(circles).toEqual([]);
});

test("the GPU's half and the CPU's know nothing of each other", () => {
  const across = (from: string, to: string) =>
    sources.filter((file) => file.startsWith(from) && imports.get(file)?.some((name) => name.startsWith(to)));
  expect(across("src/webgpu/", "src/cpu/")).toEqual([]);
  expect(across("src/cpu/", "src/webgpu/")).toEqual([]);
  // Otherwise a page without the one would ship it with the other.
  expect(across("src/rules/", "src/webgpu/")).toEqual([]);
  expect(across("src/norms/", "src/webgpu/")).toEqual([]);
  expect(imports.get("src/methods/method.ts")?.filter((name) => /^src\/(webgpu|cpu)\//.test(name))).toEqual([]);
});

test("the benchmark knows nothing of the site", () => {
  const strays = sourcesIn("bench").filter((file) => importsOf(file).some((name) => name.startsWith("demo/")));
  expect(strays).toEqual([]);
});

const passes = readdirSync(join(root, "src/webgpu/passes")).map((file) => file.replace(/\.ts$/, ""));
const kernels = readdirSync(join(root, "shaders")).flatMap((file) =>
  file.endsWith(".wgsl") ? [file.slice(0, -5)] : [],
);

test("every kernel has a pass of its name", () => {
  expect(kernels).toContain("norm");
  expect(passes).toEqual(expect.arrayContaining(kernels));
});

test.each([
  "plan",
  "dispatches",
  "windows",
  "segments",
  "loopLimit",
  "table",
  "recording",
  "layouts",
  "pipelines",
  "template",
])("%s.ts names no pass", (name) => {
  const code = textOf(`src/webgpu/${name}.ts`).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  const words = kernels.flatMap((kernel) => [
    kernel,
    kernel.replaceAll("_", " "),
    kernel.replace(/_(.)/, (_, c) => c.toUpperCase()),
  ]);
  expect(words.filter((word) => new RegExp(`\\b${word}\\b`, "i").test(code))).toEqual([]);
  const known = importsOf(`src/webgpu/${name}.ts`).filter((file) => file.startsWith("src/webgpu/passes/"));
  expect(known.filter((file) => file !== "src/webgpu/passes/pass.ts")).toEqual([]);
});

interface Project {
  test: { name: string; setupFiles: string[] };
}

test("toEqual tells buffers apart: see support/equality.ts", () => {
  const [one, other] = [Uint8Array.of(1, 2), Uint8Array.of(1, 3)].map(({ buffer }) => ({ buffer }));
  expect(one).not.toEqual(other);
  expect(new DataView(Uint8Array.of(1, 2).buffer, 0, 1)).toEqual(new DataView(Uint8Array.of(1).buffer));
  const { projects } = (configuration as (environment: object) => { test: { projects: Project[] } })({}).test;
  expect(projects.map(({ test }) => test.name)).toEqual(["unit", "alone", "gpu", "engines", "cost", "pages"]);
  for (const { test } of projects) expect(test.setupFiles[0]).toBe("test/support/equality.ts");
});

test("no file has 400 lines", () => {
  const files = [...sources, ...sourcesIn("demo"), ...sourcesIn("bench"), ...sourcesIn("test")];
  expect(files.filter((file) => textOf(file).split("\n").length > 400)).toEqual([]);
});
