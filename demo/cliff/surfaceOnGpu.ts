import { isSoftware } from "../../src/webgpu/grid.ts";
import { answerOf } from "../../src/webgpu/ownDevice.ts";
import { paletteInWgsl, view } from "./surface.ts";
import text from "./surface.wgsl?raw";

export interface GpuSurface {
  adapter: string;
  draw(width: number, height: number): Promise<ImageData>;
}

/** Draws the surface by WebGPU, one invocation for each pixel. Returns the reason, as the end of a sentence, if it cannot. */
export async function surfaceOnGpu(softwareToo: boolean): Promise<GpuSurface | string> {
  if (!navigator.gpu) return isSecureContext ? "this browser has no WebGPU" : "WebGPU needs https or localhost";
  try {
    const adapter = await answerOf(navigator.gpu.requestAdapter(), "adapter");
    if (!adapter) return "this browser offers no graphics adapter to WebGPU";
    const { description, vendor, architecture } = adapter.info;
    if (isSoftware(adapter.info) && !softwareToo) return "WebGPU is emulated in software here";
    const device = await answerOf(adapter.requestDevice(), "device");
    const draw = await prepare(device);
    const name = description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed adapter";
    return { adapter: name, draw };
  } catch (error) {
    return `WebGPU did not start: ${error instanceof Error ? error.message : error}`;
  }
}

async function prepare(device: GPUDevice): Promise<GpuSurface["draw"]> {
  const format = "rgba8unorm";
  const module = device.createShaderModule({ code: text.replace("PALETTE", paletteInWgsl) });
  const pipeline = await device.createRenderPipelineAsync({
    label: "error surface",
    layout: "auto",
    vertex: { module },
    fragment: { module, targets: [{ format }] },
  });
  const limits = Float32Array.of(view.w[0], view.b[0], view.w[1], view.b[1]);
  const uniform = device.createBuffer({
    size: limits.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(uniform, 0, limits);
  const entries = [{ binding: 0, resource: { buffer: uniform } }];
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });

  // An image, not a WebGPU canvas: it changes only with its size, and headless browsers do not present WebGPU canvases.
  return async (width, height) => {
    const bytesPerRow = Math.ceil((4 * width) / 256) * 256;
    const usage = GPUTextureUsage.RENDER_ATTACHMENT | GPUTextureUsage.COPY_SRC;
    const texture = device.createTexture({ size: [width, height], format, usage });
    const staging = device.createBuffer({
      size: bytesPerRow * height,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = device.createCommandEncoder();
    const attachment = { view: texture.createView(), loadOp: "clear", storeOp: "store" } as const;
    const pass = encoder.beginRenderPass({ colorAttachments: [attachment] });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.draw(3);
    pass.end();
    encoder.copyTextureToBuffer({ texture }, { buffer: staging, bytesPerRow }, [width, height]);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const image = new ImageData(width, height);
    const rows = new Uint8Array(staging.getMappedRange());
    for (let row = 0; row < height; row++) {
      image.data.set(rows.subarray(row * bytesPerRow, row * bytesPerRow + 4 * width), row * 4 * width);
    }
    staging.destroy();
    texture.destroy();
    return image;
  };
}
