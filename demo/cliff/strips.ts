import type uPlot from "uplot";
import { curve, markStep, markValue, plotIn } from "../shared/plot.ts";
import type { Path } from "./path.ts";
import { roundBound } from "./settings.ts";

interface Events {
  onStep(step: number): void;
  onBound(bound: number): void;
}

const limits = { least: 1e-6, most: 1e6 };

/** Loss, norm and scale over the steps, one above the other, with one cursor. The bound in the norm can be dragged. */
export class Strips {
  readonly #plots: uPlot[];
  readonly #grip = document.createElement("div");
  #bound = 1;
  #step = 0;

  constructor(containers: readonly HTMLElement[], stepCount: number, events: Events) {
    this.#plots = containers.map((container, index) => {
      const plot = this.#plotIn(container, index, stepCount);
      plot.over.addEventListener("pointermove", (event) => {
        if (plot.over.hasPointerCapture(event.pointerId)) return;
        const at = plot.posToIdx(event.clientX - plot.over.getBoundingClientRect().left);
        if (at !== this.#step) events.onStep(at);
      });
      return plot;
    });
    this.#makeBoundDraggable(this.#plots[1] as uPlot, events);
  }

  draw(unclipped: Path, clipped: Path): void {
    const steps = Array.from(clipped.w, (_, step) => step);
    const quantities: ((path: Path) => number[])[] = [
      ({ error }) => Array.from(error, (value) => Math.max(value, limits.least)),
      ({ before }) => lengths(before).map((norm) => Math.min(limits.most, Math.max(norm, limits.least))),
      ({ before, after }) => {
        const norms = lengths(before);
        return lengths(after).map((norm, step) => (norms[step] ? norm / (norms[step] as number) : 1));
      },
    ];
    this.#plots.forEach((plot, index) => {
      const quantity = quantities[index] as (path: Path) => number[];
      plot.setData([steps, quantity(unclipped), quantity(clipped)]);
    });
  }

  mark(step: number, bound: number): void {
    [this.#step, this.#bound] = [step, bound];
    for (const plot of this.#plots) plot.redraw(false, true);
  }

  #plotIn(container: HTMLElement, index: number, stepCount: number): uPlot {
    const isLast = index === 2;
    return plotIn(container, {
      height: 128,
      padding: [8, 14, isLast ? 0 : 6, 0],
      cursor: { show: false },
      scales: {
        x: { time: false, range: [0, stepCount] },
        y: isLast ? { range: [0, 1.05] } : { distr: 3, range: index === 0 ? [1e-6, 2] : [1e-4, 1e5] },
      },
      stepsHeight: isLast ? 24 : 0,
      decades: isLast ? undefined : 2,
      series: [{}, curve("--unclipped", 1.75), curve("--clipped", 1.75)],
      hooks: { draw: [(plot) => this.#annotate(plot, index)] },
    });
  }

  #annotate(plot: uPlot, index: number): void {
    markStep(plot, this.#step, { property: "--faint" });
    if (index !== 1) return;
    this.#grip.style.top = `${plot.valToPos(this.#bound, "y")}px`;
    const label = `↕ bound ${this.#bound}`;
    markValue(plot, this.#bound, { property: "--ink", dash: [6, 4], label, isBold: true })();
  }

  /** A mouse moves the bound from anywhere in the strip. A finger takes the grip: beside it, it scrolls the page. */
  #makeBoundDraggable({ over, posToVal }: uPlot, { onBound }: Events): void {
    over.classList.add("draggable");
    this.#grip.className = "grip";
    over.append(this.#grip);
    const drag = ({ clientY }: PointerEvent) =>
      onBound(roundBound(posToVal(clientY - over.getBoundingClientRect().top, "y")));
    let isDragging = false;
    over.addEventListener("pointerdown", (event) => {
      isDragging = event.pointerType !== "touch" || event.target === this.#grip;
      if (!isDragging) return;
      over.setPointerCapture(event.pointerId);
      drag(event);
    });
    over.addEventListener("pointermove", (event) => {
      if (isDragging) drag(event);
    });
    over.addEventListener("lostpointercapture", () => {
      isDragging = false;
    });
  }
}

/** The lengths of pairs. */
function lengths(pairs: Float32Array): number[] {
  return Array.from({ length: pairs.length / 2 }, (_, step) =>
    Math.hypot(pairs[2 * step] as number, pairs[2 * step + 1] as number),
  );
}
