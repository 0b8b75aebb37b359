// WebGPU in Bun: Dawn, by the package bun-webgpu.

import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);

/** The program itself. The package's install script moves it into the package; without it, it lies where it was packed. */
export function bunPath() {
  const bun = join(require.resolve("bun/package.json"), "..");
  const packed = join(bun, "..", "@oven");
  const folders = existsSync(packed) ? readdirSync(packed).map((name) => join(packed, name)) : [];
  const files = folders.flatMap((folder) => ["bun", "bun.exe"].map((file) => join(folder, "bin", file)));
  return files.find((file) => existsSync(file)) ?? join(bun, "bin", "bun.exe");
}

/** bun-webgpu 0.1.7 is packed for x86-64 Linux alone. */
export function hasBunWebGpu() {
  try {
    return existsSync(require.resolve(`bun-webgpu-${process.platform}-${process.arch}/package.json`));
  } catch {
    return false;
  }
}

/**
 * The process's navigator.gpu, in Bun, for engines that are loaded afterwards too.
 * @returns {Promise<GPU>}
 */
export async function bunGpu() {
  // By a name that TypeScript does not follow: the package's types change WebGPU's for everybody.
  const name = "bun-webgpu";
  const { setupGlobals } = await import(name);
  await setupGlobals();
  const { gpu } = navigator;
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const adapter = await requestAdapter(options);
    if (!adapter) return adapter;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor && takenBy(adapter, descriptor));
      nameClasses(device);
      return device;
    };
    return adapter;
  };
  return gpu;
}

/**
 * TensorFlow.js 4.22 tells buffers from textures by their classes, of which bun-webgpu 0.1.7 makes no globals.
 * @param {GPUDevice} device
 */
function nameClasses(device) {
  const buffer = device.createBuffer({ size: 4, usage: GPUBufferUsage.STORAGE });
  const texture = device.createTexture({ size: [1], format: "rgba8unorm", usage: GPUTextureUsage.COPY_DST });
  Object.assign(globalThis, { GPUBuffer: buffer.constructor, GPUTexture: texture.constructor });
  buffer.destroy();
  texture.destroy();
}

/**
 * bun-webgpu 0.1.7 asks for storage in vertex and fragment stages wherever a limit is given, which SwiftShader has not; and
 * TensorFlow.js 4.22 gives a feature as a list, of which a browser makes the string.
 * @param {GPUAdapter} adapter @param {GPUDeviceDescriptor} descriptor @returns {GPUDeviceDescriptor}
 */
function takenBy({ limits }, { requiredFeatures = [], requiredLimits, ...rest }) {
  const names = ["StorageBuffersInVertexStage", "StorageBuffersInFragmentStage"];
  const own = [...names, ...names.map((name) => name.replace("Buffers", "Textures"))].map((name) => {
    const limit = /** @type {keyof GPUSupportedLimits} */ (`max${name}`);
    return [limit, limits[limit]];
  });
  return {
    ...rest,
    requiredFeatures: [...requiredFeatures].map((feature) => /** @type {GPUFeatureName} */ (String(feature))),
    ...(requiredLimits && { requiredLimits: { ...Object.fromEntries(own), ...requiredLimits } }),
  };
}
