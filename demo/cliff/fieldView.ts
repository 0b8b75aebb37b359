import { color } from "../shared/text.ts";
import { columns, countOf, type Ending, rows, startCount } from "./field.ts";
import { pointAt } from "./map.ts";
import type { Point } from "./surface.ts";

const inks: Record<Ending, string> = {
  arrived: "--arrived",
  "thrown off": "--path-unclipped",
  "under way": "--under-way",
};

/** One cell for each start: dark where its descent arrived, red where it was thrown off the map. A click takes that start. */
export class FieldView {
  readonly #canvas: HTMLCanvasElement;
  readonly #counts: HTMLElement;
  #field: readonly Ending[] = [];

  constructor(figure: HTMLElement, onStart: (start: Point) => void) {
    this.#canvas = figure.querySelector("canvas") as HTMLCanvasElement;
    this.#counts = figure.querySelector(".counts") as HTMLElement;
    this.#canvas.addEventListener("click", ({ clientX, clientY }) => {
      const { left, top, width, height } = this.#canvas.getBoundingClientRect();
      onStart(pointAt((clientX - left) / width, (clientY - top) / height));
    });
    this.#canvas.addEventListener("contextrestored", () => this.#redraw());
    new ResizeObserver(() => this.#redraw()).observe(this.#canvas);
  }

  draw(field: readonly Ending[]): void {
    this.#field = field;
    const [arrived, thrown] = [countOf(field, "arrived"), countOf(field, "thrown off")];
    this.#counts.replaceChildren(
      counted("arrived", `${arrived} of ${startCount} arrive`),
      counted("thrown", `${thrown} thrown off`),
      counted("under-way", `${startCount - arrived - thrown} still under way`),
    );
    this.#redraw();
  }

  #redraw(): void {
    const { clientWidth, clientHeight } = this.#canvas;
    if (this.#field.length === 0 || clientWidth === 0) return;
    Object.assign(this.#canvas, { width: clientWidth * devicePixelRatio, height: clientHeight * devicePixelRatio });
    const context = this.#canvas.getContext("2d") as CanvasRenderingContext2D;
    const [width, height] = [this.#canvas.width / columns, this.#canvas.height / rows];
    const gap = Math.max(1, width / 14);
    for (const ending of Object.keys(inks) as Ending[]) {
      context.fillStyle = color(inks[ending]);
      for (const [index, found] of this.#field.entries()) {
        if (found !== ending) continue;
        const [left, top] = [(index % columns) * width, Math.floor(index / columns) * height];
        context.fillRect(left + gap / 2, top + gap / 2, width - gap, height - gap);
      }
    }
  }
}

function counted(name: string, text: string): HTMLElement {
  const item = document.createElement("li");
  item.className = name;
  item.textContent = text;
  return item;
}
