/** What a page pays: bytes of the built package, bundled, minified and gzipped. docs/size.md has the figures. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin, type Rolldown } from "vite";
import { beforeAll, describe, expect, test } from "vitest";
import * as gradclip from "../src/index.ts";
import { repository } from "./engines/packaged.mjs";
import { builtPackage, fileOf } from "./support/package.ts";

const ENTRY = "virtual:entry";
let folder: string;

beforeAll(async () => {
  folder = await builtPackage("bundle");
});

async function pageOf(code: string): Promise<Rolldown.OutputChunk[]> {
  const entry: Plugin = {
    name: "entry",
    resolveId: (id) => (id === ENTRY ? id : undefined),
    load: (id) => (id === ENTRY ? code : undefined),
  };
  const { output } = (await build({
    configFile: false,
    root: repository,
    mode: "production",
    logLevel: "warn",
    publicDir: false,
    plugins: [entry],
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: {
        input: ENTRY,
        external: [/^@tensorflow\//, /^@jax-js\//, /^doppler-gpu\//],
        preserveEntrySignatures: "strict",
        output: { minify: true },
      },
    },
  })) as Rolldown.RolldownOutput;
  return output.filter((chunk) => chunk.type === "chunk");
}

/** The bytes of a page that imports these names from the package. */
async function bytesOf(...imports: [key: string, names: readonly string[]][]): Promise<number> {
  const lines = imports.map(([key, names]) => {
    const listed = names.includes("*") ? "*" : `{ ${names.join(", ")} }`;
    return `export ${listed} from ${JSON.stringify(fileOf(folder, key))};`;
  });
  const chunks = await pageOf(lines.join("\n"));
  return chunks.reduce((sum, { code }) => sum + gzipSync(code).length, 0);
}

const ENTRIES = [".", "./webgpu", "./cpu"];
const ONE_METHOD = ["createClipper", "clipByGlobalNorm"];
/** Methods and functions that a page may take besides. */
const FURTHER = Object.keys(gradclip).filter((name) => /^[a-z]/.test(name) && !ONE_METHOD.includes(name));

/** kB of 1,000 bytes, as the page's tables have them. */
function inKilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}

/** The goals are 29, 24.5 and 9 kB: docs/size.md has where the bytes are. */
describe("budgets, for a page with createClipper and clipByGlobalNorm", () => {
  test.each([
    [".", 36_600, 54_600],
    ["./webgpu", 29_980, 46_880],
    ["./cpu", 14_300, 22_450],
  ])("%s, and with everything", async (key, budget, all) => {
    const bytes = await bytesOf([key, ONE_METHOD]);
    expect(bytes).toBeGreaterThan(5000);
    expect(bytes).toBeLessThanOrEqual(budget);
    expect(await bytesOf([key, ["*"]])).toBeLessThanOrEqual(all);
  });
});

test("a page ships the kernels of the methods that it names, and no others", async () => {
  const [chunk] = await pageOf(`export { ${ONE_METHOD} } from ${JSON.stringify(fileOf(folder, "."))};`);
  const texts = Object.fromEntries(
    ["norm", "scale", "clamp", "unit_norm", "sum_examples"].map((kernel) => [kernel, firstImportsOf(kernel)]),
  );
  const shipped = Object.keys(texts).filter((kernel) => chunk?.code.includes(texts[kernel] as string));
  expect(shipped).toEqual(["norm", "scale"]);
});

/** How the text of a kernel begins: no two begin alike. */
function firstImportsOf(kernel: string): string {
  const text = readFileSync(join(repository, "shaders", `${kernel}.wgsl`), "utf8");
  return (/^(?:\/\/#import .*\n)+/.exec(text)?.[0] ?? "").trimEnd();
}

test.each([
  ["./webgpu", ["requestAdapter", "self-test", "bindArrays"]],
  ["./cpu", ["requestAdapter", "self-test", "createShaderModule", "@compute", "//#import"]],
])("%s has none of what it does without", async (key, words) => {
  const code = readFileSync(fileOf(folder, key), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  expect(words.filter((word) => code.includes(word))).toEqual([]);
});

test("the package loads nothing later: classic workers, service workers and single files take no import()", async () => {
  const chunks = await pageOf(`export * from ${JSON.stringify(fileOf(folder, "."))};`);
  expect(chunks).toHaveLength(1);
  expect(chunks[0]?.code).not.toMatch(/\bimport\(/);
});

/** The rows of a page's tables, by their first cell. */
function rowsOf(page: string): Map<string, string[]> {
  const text = readFileSync(join(repository, page), "utf8");
  return new Map(
    [...text.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, name = "", cells = ""]) => [
      name,
      cells.split("|").map((cell) => cell.trim()),
    ]),
  );
}

describe("docs/size.md", () => {
  const rows = rowsOf("docs/size.md");
  const alone = new Map<string, number>();

  beforeAll(async () => {
    for (const key of ENTRIES) alone.set(key, await bytesOf([key, ONE_METHOD]));
  });

  /** Within 0.2 kB, as another zlib packs a few bytes more or fewer. The message has the row as it is now. */
  function expectNear(name: string, measured: readonly (number | undefined)[]): void {
    const fresh = measured.map((bytes) => (bytes === undefined ? "" : inKilobytes(bytes)));
    const written = rows.get(name) ?? [];
    const isNear = fresh.map((figure, i) => Math.abs(Number(figure) - Number(written[i])) <= 0.21);
    expect(isNear, `| \`${name}\` | ${fresh.join(" | ")} |`).toEqual(measured.map(() => true));
  }

  async function addedTo(key: string, ...imports: [key: string, names: readonly string[]][]): Promise<number> {
    return (await bytesOf([key, ONE_METHOD], ...imports)) - (alone.get(key) ?? 0);
  }

  test.each(ENTRIES)("says what %s takes, with one method and with all", async (key) => {
    expectNear(`gradclip${key.slice(1)}`, [alone.get(key), await bytesOf([key, ["*"]])]);
  });

  test("agrees with README.md", () => {
    const inReadme = rowsOf("README.md");
    for (const entry of ENTRIES.map((key) => `gradclip${key.slice(1)}`)) {
      expect(inReadme.get(entry)?.at(-1)).toBe(rows.get(entry)?.[0]);
    }
  });

  test.each([
    ["./tfjs", "withClipping"],
    ["./jax", "clipUpdates"],
    ["./doppler", "clippingBy"],
    ["./shaders", "clippedGradient"],
  ])("says what %s adds to gradclip", async (key, name) => {
    expectNear(`gradclip${key.slice(1)}`, [await addedTo(".", [key, [name]])]);
  });

  test.each(FURTHER)("says what %s adds", async (name) => {
    const added = ENTRIES.map((key) => (name === "selfTest" && key !== "." ? undefined : addedTo(key, [key, [name]])));
    expectNear(name, await Promise.all(added));
  });
});
