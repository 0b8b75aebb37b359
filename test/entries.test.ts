/** The entries of the built package, as a user's Node and a user's TypeScript find them. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { repository } from "./engines/packaged.mjs";
import { addTypes, builtPackage, compile, exported, fileOf } from "./support/package.ts";
import { refused } from "./support/refused.ts";
import { COPY_DST, COPY_SRC, newDevice, STORAGE } from "./support/workbench.ts";

type Gradclip = typeof import("../src/index.ts");
type WebGPUOnly = typeof import("../src/webgpuOnly.ts");
type CpuOnly = typeof import("../src/cpuOnly.ts");

let folder: string;
let gradclip: Gradclip;
let webgpu: WebGPUOnly;
let cpu: CpuOnly;
let shaders: typeof import("../src/shaders.ts");
let device: GPUDevice;

beforeAll(async () => {
  folder = await builtPackage("entries");
  const load = (key: string) => import(/* @vite-ignore */ pathToFileURL(fileOf(folder, key)).href);
  [gradclip, webgpu, cpu, shaders] = await Promise.all([".", "./webgpu", "./cpu", "./shaders"].map(load));
  device = await newDevice();
});

function bufferOf(...values: number[]): GPUBuffer {
  const usage = STORAGE | COPY_SRC | COPY_DST;
  const buffer = device.createBuffer({ size: 4 * values.length, usage, mappedAtCreation: true });
  new Float32Array(buffer.getMappedRange()).set(values);
  buffer.unmap();
  return buffer;
}

const CLASSES = ["DeviceLostError", "NoWebGPUError", "NonFiniteGradientError"] as const;

test("every entry has every method and the same error classes", () => {
  const names = Object.keys(gradclip).filter((name) => name !== "selfTest");
  expect(Object.keys(webgpu)).toEqual(names);
  expect(Object.keys(cpu)).toEqual(names);
  for (const name of CLASSES) {
    expect(webgpu[name]).toBe(gradclip[name]);
    expect(cpu[name]).toBe(gradclip[name]);
  }
});

test("what one entry throws is an instance of the other's class", async () => {
  const gradient = new Float32Array([3, Number.NaN]);
  const options = { throwIfNonFinite: true };
  const thrown = await cpu.clipGradients([gradient], undefined, options).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(gradclip.NonFiniteGradientError);
  const onGpu = { ...options, device };
  const buffer = bufferOf(3, Number.NaN);
  const other = await webgpu.clipGradients([buffer], undefined, onGpu).catch((error: unknown) => error);
  expect(other).toBeInstanceOf(cpu.NonFiniteGradientError);
});

describe("a method of one entry in another", () => {
  test("of gradclip: in both", async () => {
    const gradient = new Float32Array([3, 4]);
    expect((await cpu.clipGradients([gradient], gradclip.clipByNorm(1))).tensorNorms).toEqual(new Float64Array([5]));
    expect(gradient[0]).toBeCloseTo(0.6, 6);
    const { norm } = await webgpu.clipGradients([bufferOf(3, 4)], gradclip.clipByGlobalNorm(1), { device });
    expect(norm).toBe(5);
  });

  test("of gradclip/cpu and gradclip/webgpu in gradclip: where their half is", async () => {
    expect((await gradclip.clipGradients([new Float32Array([3, 4])], cpu.zClip({ maxNorm: 1 }))).scale).toBeCloseTo(
      0.2,
      6,
    );
    expect((await gradclip.clipGradients([bufferOf(3, 4)], webgpu.measureNorm(), { device })).norm).toBe(5);
    await refused(
      () => gradclip.clipGradients([bufferOf(3, 4)], cpu.clipByGlobalNorm(1), { device }),
      TypeError,
      'clipByGlobalNorm is of an entry without the GPU; import it from "gradclip".',
    );
    await refused(
      () => gradclip.clipGradients([bufferOf(3, 4)], gradclip.clipByGlobalNorm(1), { device, skip: cpu.skipAbove(1) }),
      TypeError,
      'skipAbove is of an entry without the GPU; import it from "gradclip".',
    );
    await refused(
      () => gradclip.clipGradients([new Float32Array([3, 4])], webgpu.clipByValue(1)),
      TypeError,
      'clipByValue is of an entry without the CPU; import it from "gradclip".',
    );
  });
});

describe("what an entry does without is refused", () => {
  const arraysOnly = 'but gradclip/cpu clips arrays only; import from "gradclip" or "gradclip/webgpu".';
  const gpuOnly = 'but gradclip/webgpu clips GPU buffers only; import from "gradclip" or "gradclip/cpu".';

  test("gradclip/cpu: a buffer, a device, WebGPU", async () => {
    const clipper = await cpu.createClipper();
    expect([clipper.backend, clipper.device]).toEqual(["cpu", undefined]);
    const buffer = bufferOf(3, 4);
    await refused(() => clipper.prepare({ w: buffer }), TypeError, `gradients[0] "w" is a GPUBuffer, ${arraysOnly}`);
    const onGpu = { device } as never;
    await refused(() => cpu.createClipper(onGpu), TypeError, `options.device is a GPUDevice, ${arraysOnly}`);
    const arrays = [new Float32Array(1)];
    const clipOnGpu = () => cpu.clipGradients(arrays, undefined, onGpu);
    await refused(clipOnGpu, TypeError, `options.device is a GPUDevice, ${arraysOnly}`);
    const backend = { backend: "webgpu" } as never;
    await refused(() => cpu.createClipper(backend), TypeError, `options.backend is "webgpu", ${arraysOnly}`);
    expect((await cpu.createClipper({ backend: "auto", label: "mine" })).backend).toBe("cpu");
  });

  test("gradclip/webgpu: an array, no device, the CPU", async () => {
    const clipper = await webgpu.createClipper({ device, backend: "auto", label: "mine" });
    expect([clipper.backend, clipper.device]).toEqual(["webgpu", device]);
    const array = new Float32Array([3, 4]);
    await refused(() => clipper.prepare([array]), TypeError, `gradients[0] is a typed array, ${gpuOnly}`);
    const remedy = 'options.device is undefined; pass a GPUDevice, or import from "gradclip", which can do without.';
    await refused(() => webgpu.createClipper(undefined as never), TypeError, remedy);
    await refused(() => webgpu.clipGradients([array], undefined, {} as never), TypeError, remedy);
    const bare = "createClipper's options is a GPUDevice; pass it as { device }.";
    await refused(() => webgpu.createClipper(device as never), TypeError, bare);
    const backend = { device, backend: "cpu" } as never;
    await refused(() => webgpu.createClipper(backend), TypeError, `options.backend is "cpu", ${gpuOnly}`);
  });

  test("a device that is lost", async () => {
    const gone = await newDevice();
    gone.destroy();
    await gone.lost;
    const error = await webgpu.createClipper({ device: gone }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(gradclip.DeviceLostError);
  });
});

/** What stands in `@example`, with `value; // 5` or `// [1, 2]` turned into a call of `found`. */
function examplesOf(file: string): string[] {
  const text = readFileSync(join(repository, file), "utf8");
  return [...text.matchAll(/ \* @example\n \* ```ts\n((?: \* .*\n)+?) \* ```/g)].map(([, code = ""]) =>
    code.replaceAll(/^ \* /gm, "").replaceAll(/^([\w(].*); \/\/ (\[?[\d., -]+\]?)$/gm, "found($1, $2);"),
  );
}

test.each([
  ["src/webgpuOnly.ts", () => webgpu],
  ["src/cpuOnly.ts", () => cpu],
])("the examples of %s give the numbers that stand beside them", async (file, entry) => {
  const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...values: unknown[]) => unknown;
  const examples = examplesOf(file);
  expect(examples).toHaveLength(2);
  for (const code of examples) {
    const pairs: [unknown, unknown][] = [];
    const found = (got: unknown, wanted: unknown) => pairs.push([got, wanted]);
    const context = { ...entry(), device, buffer: bufferOf(3, 4), found };
    await new AsyncFunction(...Object.keys(context), code)(...Object.values(context));
    expect(pairs).toHaveLength(1);
    for (const [got, wanted] of pairs) {
      const values = ArrayBuffer.isView(got)
        ? [...(got as Float32Array)].map((value) => Number(value.toFixed(6)))
        : got;
      expect(values).toEqual(wanted);
    }
  }
});

test("the message of a kernel that does not compile gets its real names back", async () => {
  const broken = await newDevice();
  const make = broken.createShaderModule.bind(broken);
  // The first function gets another name, so that its calls find none.
  broken.createShaderModule = (descriptor) =>
    make({ ...descriptor, code: descriptor.code.replace(/^fn \w+\(/m, "fn elsewhere(") });
  const clipper = await webgpu.createClipper({ device: broken });
  const message = await clipper
    .prepare([broken.createBuffer({ size: 16, usage: STORAGE })], webgpu.measureNorm())
    .ready.then(
      () => "compiled",
      (error: Error) => error.message,
    );
  expect(message).toContain("withRealNames");
  const real = shaders.withRealNames(message);
  const [, kernel, line, column, name = ""] = real.match(/^(.+):(\d+):(\d+): error: unresolved.*'(\w+)'/m) ?? [];
  expect(kernel).toMatch(/^(norm|finish|scale) /);
  const source = real.split("\n").find((text) => text.startsWith(`${line}: `)) ?? "";
  expect(source.slice(`${line}: `.length + Number(column) - 1)).toMatch(new RegExp(`^${name}\\b`));
  const files = readdirSync(join(repository, "shaders"), { recursive: true, encoding: "utf8" });
  const all = files
    .filter((file) => file.endsWith(".wgsl"))
    .map((file) => readFileSync(join(repository, "shaders", file), "utf8"));
  expect(
    all.some((text) => text.includes(`fn ${name}(`)),
    name,
  ).toBe(true);
  expect(message).not.toContain(name);
  expect(real).toContain("@builtin(local_invocation_index)lane:u32");
  broken.destroy();
});

describe("the package", () => {
  test("packs every file that an export names, and what these import", async () => {
    await addTypesOnce();
    const options = ["pack", "--dry-run", "--json", "--ignore-scripts"];
    const { stdout, error } = spawnSync("npm", options, {
      cwd: folder,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    if (error) throw error;
    const packed = new Set((JSON.parse(stdout) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path));
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const targets = exported.map((key) => manifest.exports[key] as { types: string; default: string });
    for (const path of targets.flatMap((target) => [target.types, target.default])) {
      expect(packed).toContain(path.replace("./", ""));
    }
    const scripts = [...packed].filter((path) => path.endsWith(".js"));
    const textOf = (path: string) => readFileSync(join(folder, path), "utf8");
    expect(scripts.filter((path) => textOf(path).includes("extends Error"))).toEqual(["dist/errors.js"]);
    for (const path of scripts) {
      const code = textOf(path);
      for (const [, imported = ""] of code.matchAll(/^(?:import|export) .*from "(\.[^"]+)";/gm)) {
        expect(existsSync(join(folder, path, "..", imported)), `${path} imports ${imported}`).toBe(true);
        expect(packed).toContain(join(path, "..", imported));
      }
    }
  });

  test.each([
    ["bundler", "esnext"],
    ["nodenext", "nodenext"],
  ])("has types for every entry under moduleResolution %s", async (moduleResolution, module) => {
    await addTypesOnce();
    const user = join(folder, "../..");
    writeFileSync(join(user, "package.json"), '{ "type": "module" }');
    writeFileSync(join(user, "user.ts"), USER);
    const options = { module, moduleResolution, target: "es2022", lib: ["es2022", "dom"], types: ["@webgpu/types"] };
    compile(user, "user.ts", { ...options, strict: true, noEmit: true });
    expect(exported.map((key) => `gradclip${key.slice(1)}`).filter((name) => !USER.includes(`"${name}"`))).toEqual([]);
  });
});

async function addTypesOnce(): Promise<void> {
  if (!existsSync(join(folder, "dist/index.d.ts"))) await addTypes(folder);
}

const USER = `
import { type Clip, type Clipper, clipByGlobalNorm, createClipper, NonFiniteGradientError } from "gradclip";
import * as cpu from "gradclip/cpu";
import { clippingBy } from "gradclip/doppler";
import { clipUpdates } from "gradclip/jax";
import { clippedGradient } from "gradclip/shaders";
import { withClipping } from "gradclip/tfjs";
import * as webgpu from "gradclip/webgpu";

export async function use(device: GPUDevice, buffer: GPUBuffer): Promise<number> {
  const clippers: Clipper[] = [
    await createClipper({ backend: "auto" }),
    await webgpu.createClipper({ device }),
    await cpu.createClipper(),
  ];
  // @ts-expect-error: the engine's device is required.
  await webgpu.createClipper();
  // @ts-expect-error: there is no device.
  await cpu.createClipper({ device });
  // @ts-expect-error: the self-test is gradclip's.
  await webgpu.selfTest(device);
  await webgpu.clipGradients([buffer], webgpu.clipByNorm(1), { device });
  const clip: Clip = (clippers[1] as Clipper).prepare([buffer], cpu.clipByGlobalNorm(1));
  const error = new cpu.NonFiniteGradientError(await clip.report());
  const same: NonFiniteGradientError = error;
  const text: string = clippedGradient;
  return text.length + same.report.norm + [clipByGlobalNorm, clippingBy, clipUpdates, withClipping].length;
}
`;
