// The Chromium, SwiftShader and libraries that @sparticuz/chromium carries, unpacked once into .cache.

import { spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
export const cache = join(repository, ".cache");

/**
 * A folder that goes with this process: two runs of the same checks at once do not read each other's files.
 * @param {string} name
 */
export function ownFolder(name, parent = cache) {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, `${name}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.on("exit", remove);
  // A process that a signal ends has no exit.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.once(signal, () => {
      remove();
      process.kill(process.pid, signal);
    });
  }
  return folder;
}

/** The package holds x86-64 Linux binaries; elsewhere the system's own browser and driver are used. */
export const isPackaged = process.platform === "linux" && process.arch === "x64";

/** The folder with the unpacked browser. Any number of processes may call this at once. */
function unpacked() {
  const entry = createRequire(import.meta.url).resolve("@sparticuz/chromium");
  const packageFile = join(entry, "..", "..", "..", "package.json");
  const folder = join(cache, `chromium-${JSON.parse(readFileSync(packageFile, "utf8")).version}`);
  if (existsSync(folder)) return folder;

  mkdirSync(cache, { recursive: true });
  const staging = mkdtempSync(`${folder}-`);
  try {
    // The package unpacks into os.tmpdir(), and its libraries only where it believes to be on AWS.
    const script = 'import chromium from "@sparticuz/chromium"; await chromium.executablePath();';
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: repository,
      env: { ...process.env, TMPDIR: staging, AWS_EXECUTION_ENV: "AWS_Lambda_nodejs20.x" },
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`Could not unpack @sparticuz/chromium: ${stderr}`);

    // A folder with the driver alone: the browser's other libraries must not shadow anyone's.
    mkdirSync(join(staging, "vulkan"));
    for (const file of ["libvulkan.so.1", "libvk_swiftshader.so", "vk_swiftshader_icd.json"]) {
      linkSync(join(staging, file), join(staging, "vulkan", file));
    }
    renameSync(staging, folder);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** @param {string} folder */
function libraryPath(folder) {
  return [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":");
}

/**
 * The text that the adapter's name must contain, so that no other driver is tested in silence.
 * GRADCLIP_ADAPTER=nvidia, say, runs the engines on that hardware with the system's own driver.
 */
export const expectedAdapter = process.env.GRADCLIP_ADAPTER ?? (isPackaged ? "SwiftShader" : "");

export const isSoftware = isPackaged && expectedAdapter.toLowerCase() === "swiftshader";

/**
 * Environment variables that give Dawn and wgpu the software adapter. They count only from the start of a process.
 * @returns {Record<string, string>}
 */
export function vulkanEnvironment() {
  if (!isSoftware) return {};
  const vulkan = join(unpacked(), "vulkan");
  const runtime = join(cache, "runtime");
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  return {
    VK_ICD_FILENAMES: join(vulkan, "vk_swiftshader_icd.json"),
    LD_LIBRARY_PATH: libraryPath(vulkan),
    XDG_RUNTIME_DIR: runtime,
  };
}

/**
 * For processes that compile many kernels, and not for benchmarks: SwiftShader's compiler takes megabytes for each, which stay
 * with the process and are found again. Otherwise a seventh of its time goes into pages that come and go.
 */
export const roomyMemory =
  process.platform === "linux"
    ? {
        MALLOC_ARENA_MAX: "2",
        MALLOC_MMAP_THRESHOLD_: `${2 ** 25}`,
        MALLOC_TOP_PAD_: `${2 ** 25}`,
        MALLOC_TRIM_THRESHOLD_: `${2 ** 29}`,
      }
    : {};

/**
 * Dawn's options for processes that compile many kernels, and not for benchmarks. Where the driver zeroes the memory of workgroups, as it
 * does in Chromium, SwiftShader compiles a store for every word of it: three quarters of `finish` by 256 lanes. Here Tint writes a loop.
 */
export const loopsThatZero = isSoftware
  ? ["disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"]
  : [];

/**
 * The package's own configuration names folders where no fonts are, and without any a page crashes.
 * @param {string} folder
 */
function fontConfiguration(folder) {
  const target = join(cache, "fonts");
  mkdirSync(target, { recursive: true });
  const folders = [join(folder, "fonts", "fonts"), "/usr/share/fonts"].map((fonts) => `<dir>${fonts}</dir>`);
  const cached = `<cachedir>${join(target, "cache")}</cachedir>`;
  const file = join(target, "fonts.conf");
  // Renamed into place: another browser may be reading it.
  writeFileSync(`${file}.${process.pid}`, `<fontconfig>${folders.join("")}${cached}</fontconfig>\n`);
  renameSync(`${file}.${process.pid}`, file);
  return target;
}

/** @returns {{ executablePath: string, env: Record<string, string> }} */
export function packagedChromium() {
  if (!isPackaged) {
    throw new Error("No Chrome or Chromium was found; install one or set PUPPETEER_EXECUTABLE_PATH.");
  }
  const folder = unpacked();
  return {
    executablePath: join(folder, "chromium"),
    env: { LD_LIBRARY_PATH: libraryPath(join(folder, "al2023", "lib")), FONTCONFIG_PATH: fontConfiguration(folder) },
  };
}
