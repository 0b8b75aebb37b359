// Has the kernels compiled by RADV, Mesa's driver for cards of AMD. No card is needed: it compiles for any chip.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runnerImport } from "vite";
import { denoArguments, denoEnvironment, denoPath } from "../../test/engines/deno.mjs";
import { cache } from "../../test/engines/packaged.mjs";
import { loopsOf } from "./loops.mjs";

/**
 * @typedef {{ name: string, bindings: number[], isFirst: boolean, instructions: number, bytes: number, vgprs: number, waves: number, spills: number, loops: import("./loops.mjs").Loop[], cpuMs: number, driverMs: number }} Counted
 * @typedef {{ family: string, engine: string, mesa: string, kernels: Counted[] }} Compiled
 * @typedef {{ line: number, cpuMs: number, noted: Record<string, number> }} Line
 * @typedef {import("./kernels.ts").KernelText & { bindings: number[] }} Kernel
 */

const folder = join(cache, "isa");
const OLDEST_MESA = 25;
/** What compile.mjs says then. */
const NO_ADAPTER = "There is no adapter.";
/** Chips before these run waves of 64 lanes only. */
const GCN =
  /^(bonaire|carrizo|fiji|hawaii|kabini|kaveri|oland|pitcairn|polaris|raven|renoir|stoney|tahiti|tonga|vega|verde)/;

/** What stands in the way, in a sentence. */
export class Missing extends Error {}

/**
 * What comes out for each chip. The texts of instructions and kernels are left in .cache/isa/<family>-<engine>.
 * @param {{ engine: string, families: string[], bindings: number[], filter: string }} options @returns {Promise<Compiled[]>}
 */
export async function compiledFor({ engine, families, bindings, filter }) {
  const driver = driverFile();
  makeLayer();
  const kernels = await kernelsFor(bindings, new RegExp(filter));
  return families.map((family) => compiledForOne(family, engine, driver, kernels));
}

/** A kernel without bindings for gradients has the same text with any number of them: it is compiled once. @param {number[]} bindings @param {RegExp} filter */
async function kernelsFor(bindings, filter) {
  const run = /** @type {typeof runnerImport<typeof import("./kernels.ts")>} */ (runnerImport);
  const { module } = await run(join(import.meta.dirname, "kernels.ts"), { configFile: false });
  /** @type {Map<string, Kernel>} */
  const byText = new Map();
  for (const count of bindings) {
    for (const text of await module.kernelTexts(count)) {
      const kernel = byText.get(text.code) ?? { ...text, bindings: [] };
      byText.set(text.code, { ...kernel, bindings: [...kernel.bindings, count] });
    }
  }
  const kernels = [...byText.values()].map((kernel) => ({ ...kernel, name: `${kernel.name} x${kernel.bindings}` }));
  return kernels.filter(({ name }) => filter.test(name));
}

/** @param {string} family @param {string} engine @param {string} driver @param {Kernel[]} kernels @returns {Compiled} */
function compiledForOne(family, engine, driver, kernels) {
  const place = join(folder, `${family}-${engine}`);
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "kernels.json"), JSON.stringify(kernels));
  // What is asked for statistics takes longer.
  const timed = compile({ family, driver, place, engine, text: false });
  const counted = compile({ family, driver, place, engine, text: true });
  const { major, minor, patch } = JSON.parse(readFileSync(join(place, "driver.json"), "utf8"));
  if (major < OLDEST_MESA) {
    throw new Missing(
      `--isa needs Mesa ${OLDEST_MESA} or newer, and ${driver} is of Mesa ${major}.${minor}; update it.`,
    );
  }
  const rows = kernels.map((kernel, i) =>
    countedOf(kernel, /** @type {Line} */ (counted[i]), /** @type {Line} */ (timed[i]), place, family),
  );
  return { family, engine, mesa: `${major}.${minor}.${patch}`, kernels: rows };
}

/** @param {Kernel} kernel @param {Line} counted @param {Line} timed @param {string} place @param {string} family @returns {Counted} */
function countedOf({ name, bindings, code, isFirst }, { line, noted }, timed, place, family) {
  const text = readFileSync(join(place, `${line}.s`), "utf8");
  writeFileSync(join(place, `${name}.s`), text);
  writeFileSync(join(place, `${name}.wgsl`), code);
  rmSync(join(place, `${line}.s`));
  const of = (/** @type {string} */ key) => noted[key] ?? NaN;
  // RADV counts waves of 32 lanes where a chip has them.
  const lanes = GCN.test(family) ? 32 : of("subgroupSize");
  return {
    name,
    bindings,
    isFirst,
    instructions: of("Instructions"),
    bytes: of("Code size"),
    vgprs: of("VGPRs"),
    waves: (of("Subgroups per SIMD") * 32) / lanes,
    spills: of("Spilled VGPRs") + of("Spilled SGPRs"),
    loops: loopsOf(text),
    cpuMs: timed.cpuMs,
    driverMs: timed.noted.cpuMs ?? NaN,
  };
}

/** @param {{ family: string, driver: string, place: string, engine: string, text: boolean }} options @returns {Line[]} */
function compile({ family, driver, place, engine, text }) {
  rmSync(join(place, "pipelines.jsonl"), { force: true });
  const [program, args, more] =
    engine === "deno" ? [denoPath(), denoArguments, denoEnvironment] : [process.execPath, [], {}];
  const env = {
    ...process.env,
    ...more,
    VK_DRIVER_FILES: driver,
    VK_ICD_FILENAMES: driver,
    VK_LAYER_PATH: join(folder, "layer"),
    VK_INSTANCE_LAYERS: "VK_LAYER_gradclip_isa",
    MESA_SHADER_CACHE_DISABLE: "1",
    RADV_FORCE_FAMILY: family,
    ISA_FOLDER: place,
    ...(text && { ISA_TEXT: "1" }),
  };
  const script = join(import.meta.dirname, "compile.mjs");
  const { status, stdout, stderr } = spawnSync(program, [...args, script, place, engine], {
    env,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (stderr.includes(NO_ADAPTER)) {
    throw new Missing(`--isa needs Mesa ${OLDEST_MESA} or newer, and ${driver} gives ${engine} no adapter; update it.`);
  }
  if (status !== 0) throw new Error(`${engine} did not compile for ${family}:\n${stderr}`);
  return stdout
    .split("\n")
    .filter((line) => line.startsWith('{"line"'))
    .map((line) => JSON.parse(line));
}

/** RADV's manifest, where the loader looks for drivers. @returns {string} */
function driverFile() {
  const named = [process.env.VK_DRIVER_FILES, process.env.VK_ICD_FILENAMES].flatMap((list) => list?.split(":") ?? []);
  const folders = ["/usr/local/share", "/usr/local/etc", "/usr/share", "/etc"].map((path) => `${path}/vulkan/icd.d`);
  const standard = folders.filter(existsSync).flatMap((path) => readdirSync(path).map((name) => join(path, name)));
  const found = [...named, ...standard].find((file) => /radeon.*\.json$/.test(file));
  if (found) return found;
  throw new Missing(
    `--isa needs RADV of Mesa ${OLDEST_MESA} or newer, and no radeon*.json is named by VK_DRIVER_FILES or lies in ${folders.join(", ")}; install mesa-vulkan-drivers.`,
  );
}

function makeLayer() {
  const layer = join(folder, "layer");
  mkdirSync(layer, { recursive: true });
  const args = ["-O1", "-shared", "-fPIC", "-o", join(layer, "layer.so"), join(import.meta.dirname, "layer.c")];
  const { status, stderr, error } = spawnSync("cc", args, { encoding: "utf8" });
  if (status !== 0)
    throw new Missing(
      `--isa needs a C compiler and Vulkan's headers, and cc says: ${error ?? stderr.split("\n")[0]}; install gcc and libvulkan-dev.`,
    );
  const description = {
    file_format_version: "1.2.0",
    layer: {
      name: "VK_LAYER_gradclip_isa",
      type: "GLOBAL",
      library_path: "./layer.so",
      api_version: "1.4.0",
      implementation_version: "1",
      description: "A driver without its card",
    },
  };
  writeFileSync(join(layer, "layer.json"), JSON.stringify(description));
}
