import { widths } from "./network.ts";

const side = 8;
const gap = 1;
/** What is drawn in full colour; the weights begin at about 0.18. */
const fullChange = 0.2;
const [pixelCount, unitCount] = widths as [number, number];
const perRow = Math.sqrt(unitCount);

/** What training has changed in the weights of the first layer, as pictures: each unit's 64, where its pixels are. */
export class Units {
  readonly #canvas: HTMLCanvasElement;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    canvas.width = canvas.height = perRow * (side + gap) - gap;
  }

  /** Both are [pixel, unit]. Blue came to want ink, orange came to want paper. */
  draw(weights: Float32Array, initial: Float32Array): void {
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    const style = getComputedStyle(document.documentElement);
    const colors = ["--unclipped", "--clipped"].map((property) => channels(style.getPropertyValue(property)));
    const image = context.createImageData(this.#canvas.width, this.#canvas.height);
    for (let unit = 0; unit < unitCount; unit++) {
      const [left, top] = [(unit % perRow) * (side + gap), Math.floor(unit / perRow) * (side + gap)];
      for (let pixel = 0; pixel < pixelCount; pixel++) {
        const at = pixel * unitCount + unit;
        const change = (weights[at] ?? 0) - (initial[at] ?? 0);
        const [x, y] = [left + (pixel % side), top + Math.floor(pixel / side)];
        const opacity = Math.min(1, Math.abs(change) / fullChange);
        image.data.set([...(colors[change > 0 ? 1 : 0] ?? []), 255 * opacity], 4 * (y * image.width + x));
      }
    }
    context.putImageData(image, 0, 0);
  }
}

/** Of a colour like #1f63d6. */
function channels(hex: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(hex.trim().slice(at, at + 2), 16));
}
