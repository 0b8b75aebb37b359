import { surfaceOnGpu } from "./surfaceOnGpu.ts";
import type { Answer } from "./worker.ts";

const widest = { gpu: 1200, cpu: 600 };

/** Draws the surface behind the paths by WebGPU. Without it, or after the GPU is lost, the worker draws. */
export async function showSurface(
  canvas: HTMLCanvasElement,
  worker: Worker,
  requested: "auto" | "webgpu" | "cpu",
  onBadge: (text: string) => void,
): Promise<void> {
  const show = (image: ImageData) => {
    Object.assign(canvas, { width: image.width, height: image.height });
    const draw = () => canvas.getContext("2d")?.putImageData(image, 0, 0);
    canvas.oncontextrestored = draw;
    draw();
  };
  const size = (most: number) => {
    const width = Math.max(1, Math.round(Math.min(most, canvas.clientWidth * devicePixelRatio)));
    return { width, height: Math.max(1, Math.round((width * canvas.clientHeight) / canvas.clientWidth)) };
  };
  const showFromWorker = (reason: string) => {
    onBadge(`Surface and descents: a worker on the CPU (${reason}).`);
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => "image" in data && show(data.image));
    worker.postMessage({ surface: size(widest.cpu) });
  };

  const surface = requested === "cpu" ? "you asked for it in the address" : await surfaceOnGpu(requested === "webgpu");
  if (typeof surface === "string") {
    showFromWorker(surface);
    return;
  }
  const { width, height } = size(widest.gpu);
  try {
    show(await surface.draw(width, height));
    onBadge(`Surface: WebGPU · ${surface.adapter}. Descents: a worker on the CPU.`);
  } catch {
    showFromWorker("the GPU was lost");
  }
}
