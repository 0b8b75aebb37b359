// Uses what the entries export, with undefined wherever the code takes it.
import {
  adaptiveGradClip,
  autoClip,
  type Clip,
  type ClipMethod,
  type ClipOptions,
  type Clipper,
  type ClipReport,
  clipByBlockRms,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipByValue,
  clipGradients,
  clipPerExample,
  createClipper,
  DeviceLostError,
  type Gradients,
  type GradientView,
  measureNorm,
  NonFiniteGradientError,
  NoWebGPUError,
  normalizeByGlobalNorm,
  readRecord,
  selfTest,
  skipAbove,
  skipSpikes,
  zClip,
} from "gradclip";
import * as cpu from "gradclip/cpu";
import { clippedGradient, withRealNames } from "gradclip/shaders";
import * as webgpu from "gradclip/webgpu";

const methods: readonly ClipMethod[] = [
  clipByGlobalNorm(1, { normType: undefined, eps: undefined, members: undefined }),
  clipByNorm(1, { axes: undefined }),
  clipByGroupNorm({ encoder: 1 }, { others: undefined }),
  clipByValue(-1, 1),
  clipByBlockRms(1),
  adaptiveGradClip({ clipping: undefined, eps: undefined, axes: undefined }),
  clipPerExample(1, { examples: 2 }),
  autoClip({ percentile: undefined, history: undefined, maxNorm: undefined }),
  zClip({ zThreshold: undefined, decay: undefined, warmup: undefined, maxNorm: undefined }),
  normalizeByGlobalNorm(),
  measureNorm({ normType: undefined }),
  cpu.clipByGlobalNorm(1),
  webgpu.clipByGlobalNorm(1),
];

export async function use(device: GPUDevice | undefined, buffer: GPUBuffer): Promise<ClipReport | undefined> {
  const clipper: Clipper = await createClipper({ device, backend: undefined, label: undefined });
  const view: GradientView = {
    buffer,
    byteOffset: undefined,
    length: undefined,
    dtype: undefined,
    into: undefined,
    parameter: { buffer, byteOffset: undefined, dtype: undefined },
    name: undefined,
    group: undefined,
    shape: undefined,
  };
  const gradients: Gradients = { kernel: view, bias: null, scale: undefined };
  const options: ClipOptions = {
    nonFinite: undefined,
    apply: undefined,
    gradScale: undefined,
    totalNorm: undefined,
    skip: Math.random() < 0.5 ? skipAbove(10) : skipSpikes({ sigmas: undefined, window: undefined, loss: undefined }),
  };
  const clip: Clip = clipper.prepare(gradients, methods[0], options);
  await clip.ready;
  clip.set({ maxNorm: undefined, gradScale: undefined });
  clip.run(new Map([["kernel", buffer]]));
  const record: GPUBuffer | undefined = clip.record;
  clip.restore(await clip.state());
  readRecord(new Uint8Array(96), record && clip);
  if (device) {
    await selfTest(device);
    const encoder: GPUCommandEncoder = (
      device as unknown as { createCommandEncoder(): GPUCommandEncoder }
    ).createCommandEncoder();
    clip.encode(encoder, [buffer, null]);
    const onDevice = await webgpu.createClipper({ device, label: undefined });
    onDevice.prepare([buffer], cpu.clipByNorm(1)).destroy();
    await clipGradients([buffer], undefined, { device, throwIfNonFinite: undefined });
  }
  const report = await clip.report({ throwIfNonFinite: undefined, signal: undefined });
  const name: string | undefined = report.firstNonFinite?.name;
  const text: string = withRealNames(clippedGradient) + (name ?? "");
  return text === "" ? clip.lastReport : report;
}

export function tell(error: unknown): string {
  if (error instanceof DeviceLostError) return error.gradientsState;
  if (error instanceof NoWebGPUError) return error.reason;
  if (error instanceof cpu.NonFiniteGradientError || error instanceof NonFiniteGradientError)
    return `${error.report.norm}`;
  throw error;
}
