import { surfaceOnGpu } from "./surfaceOnGpu.ts";
import type { Answer } from "./worker.ts";

const widest = { gpu: 1200, cpu: 600 };

/** The worker draws the surface behind the paths at once. WebGPU's finer picture takes its place, if it comes. */
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
  const staysOnCpu = (reason: string) => onBadge(`Surface and descents: a worker on the CPU (${reason}).`);
  const showFromWorker = ({ data }: MessageEvent<Answer>) => "image" in data && show(data.image);
  worker.addEventListener("message", showFromWorker);
  worker.postMessage({ surface: size(widest.cpu) });
  onBadge("Looking for a GPU…");

  const surface = requested === "cpu" ? "you asked for it in the address" : await surfaceOnGpu(requested === "webgpu");
  if (typeof surface === "string") {
    staysOnCpu(surface);
    return;
  }
  const { width, height } = size(widest.gpu);
  try {
    const image = await surface.draw(width, height);
    worker.removeEventListener("message", showFromWorker);
    show(image);
    onBadge(`Surface: WebGPU · ${surface.adapter}. Descents: a worker on the CPU.`);
  } catch {
    staysOnCpu("the GPU was lost");
  }
}
