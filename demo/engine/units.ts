import { widths } from "./network.ts";

const side = 8;
const gap = 1;
/** A change of this size has full colour; weights begin at about 0.18. */
const fullChange = 0.2;
const [pixelCount, unitCount] = widths as [number, number];
const perRow = Math.sqrt(unitCount);

/** Draws how training has changed the weights of the first layer: one picture of 8 by 8 pixels for each unit. */
export class Units {
  readonly #canvas: HTMLCanvasElement;

  #image: ImageData | undefined;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    canvas.addEventListener("contextrestored", () => this.#show());
    canvas.width = canvas.height = perRow * (side + gap) - gap;
  }

  /** Both are [pixel, unit]. Blue looks for ink now, orange for paper. */
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
    this.#image = image;
    this.#show();
  }

  #show(): void {
    if (this.#image) this.#canvas.getContext("2d")?.putImageData(this.#image, 0, 0);
  }
}

/** Of a colour like #1f63d6. */
function channels(hex: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(hex.trim().slice(at, at + 2), 16));
}
