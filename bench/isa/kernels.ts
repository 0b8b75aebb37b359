import {
  adaGC,
  adaptiveGradClip,
  autoClip,
  type ClipMethod,
  type ClipOptions,
  clipByGlobalNorm,
  clipByNorm,
  clipByValue,
  clipPerExample,
  createClipper,
  type GradientView,
  normalizeByGlobalNorm,
  skipAbove,
  skipSpikes,
  zClip,
} from "../../src/index.ts";
import { pipelineOf } from "../gpu/pipelines.ts";
import read from "../shaders/read.wgsl?raw";
import rewrite from "../shaders/rewrite.wgsl?raw";
import tensorFinish from "../shaders/tensor_finish.wgsl?raw";
import tensorNorm from "../shaders/tensor_norm.wgsl?raw";
import tensorScale from "../shaders/tensor_scale.wgsl?raw";

/** A kernel as a device is asked for it. */
export interface KernelText {
  readonly name: string;
  readonly code: string;
  /** None where the device is to find them in the text. */
  readonly layouts?: readonly GPUBindGroupLayoutDescriptor[];
  /** Whether `prepare` asks for it before the first step of the default method on aligned float32 gradients. */
  readonly isFirst: boolean;
}

const LANES = 64;
/** A device of this vendor gets the row of discrete cards. */
const VENDOR = "amd";

const methods: readonly ClipMethod[] = [
  clipByGlobalNorm(1),
  ...[Infinity, 1, 3].map((normType) => clipByGlobalNorm(1, { normType })),
  zClip(),
  autoClip(),
  zClip({ per: "tensor" }),
  adaGC(),
  clipByNorm(1),
  clipByNorm(1, { axes: [0] }),
  clipByNorm(1, { axes: [0, 2] }),
  adaptiveGradClip({ axes: [0] }),
  clipByValue(1),
  clipPerExample(1, { examples: 8 }),
  clipPerExample(1, { examples: 8, automatic: 0.01 }),
  normalizeByGlobalNorm(1),
];

/** What changes a kernel besides the method. */
const options: readonly (readonly [ClipMethod, ClipOptions])[] = [
  [clipByGlobalNorm(1), { skip: skipSpikes() }],
  [clipByGlobalNorm(1), { skip: skipAbove(10) }],
  [clipByGlobalNorm(1), { history: 1024 }],
  [clipByNorm(1), { skip: skipSpikes() }],
];

const SHAPE = [8, 32, 16];
const LENGTH = 4096;

/** In words of 16 bytes and of 4, in place and not. */
const views: readonly GradientView[] = (["f32", "f16", "bf16"] as const).flatMap((dtype) =>
  [0, 4].flatMap((byteOffset) =>
    [undefined, { buffer: newBuffer(), byteOffset }].map((into) => ({
      buffer: newBuffer(),
      byteOffset,
      length: LENGTH,
      dtype,
      shape: SHAPE,
      into,
      parameter: { buffer: newBuffer() },
    })),
  ),
);

/** What a discrete card with so many bindings for gradients is asked to compile: the library's kernels, then the benchmark's own. */
export async function kernelTexts(bindings: number): Promise<KernelText[]> {
  const kernels: KernelText[] = [];
  let isFirst = true;
  const add = (name: string, module: GPUShaderModuleDescriptor, layout: "auto" | GPUPipelineLayoutDescriptor) => {
    const layouts = layout === "auto" ? undefined : ([...layout.bindGroupLayouts] as unknown[]);
    kernels.push({
      name: name.replace("gradclip ", ""),
      code: module.code,
      layouts: layouts as GPUBindGroupLayoutDescriptor[] | undefined,
      isFirst,
    });
  };
  const clipper = await createClipper({ device: deviceWith(bindings, add) });
  for (const method of methods) {
    for (const view of views) {
      clipper.prepare([view], method);
      // A kernel is asked for after this turn.
      await undefined;
      isFirst = false;
    }
  }
  for (const [method, option] of options) clipper.prepare(views.slice(0, 1), method, option);
  await undefined;
  for (const [name, source] of Object.entries({ read, rewrite, tensorNorm, tensorFinish, tensorScale })) {
    const device = deviceWith(bindings, (_, module, layout) => add(`bench ${name} by ${LANES}`, module, layout));
    await pipelineOf(device, source, LANES, bindings);
  }
  return kernels;
}

export function newBuffer(
  descriptor: { size: number; usage: number } = { size: 4 * LENGTH + 4, usage: 0xff },
): GPUBuffer {
  return {
    ...descriptor,
    mapState: "unmapped",
    mapAsync: async () => {},
    getMappedRange: () => new ArrayBuffer(descriptor.size),
    unmap() {},
    destroy() {},
  } as unknown as GPUBuffer;
}

/** Is told what a device was asked to compile. */
export type Add = (
  name: string,
  module: GPUShaderModuleDescriptor,
  layout: "auto" | GPUPipelineLayoutDescriptor,
) => unknown;

/** Tells what it is asked to compile, and makes nothing: its objects are their own descriptors. */
export function deviceWith(bindings: number, add: Add): GPUDevice {
  const same = <T>(descriptor: T) => descriptor;
  return {
    limits: {
      maxStorageBuffersPerShaderStage: bindings + 1,
      maxStorageBufferBindingSize: 2 ** 27,
      maxBufferSize: 2 ** 28,
      maxComputeInvocationsPerWorkgroup: 256,
    },
    adapterInfo: { vendor: VENDOR },
    lost: new Promise(() => {}),
    queue: {},
    pushErrorScope() {},
    popErrorScope: async () => null,
    createBuffer: newBuffer,
    createBindGroupLayout: same,
    createPipelineLayout: same,
    createShaderModule: same,
    createBindGroup: same,
    createComputePipelineAsync: async ({ label = "", layout, compute }: GPUComputePipelineDescriptor) =>
      add(label, compute.module as unknown as GPUShaderModuleDescriptor, layout as "auto"),
  } as unknown as GPUDevice;
}
