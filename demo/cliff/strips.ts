import { uPlot } from "../shared/plot.ts";
import { color } from "../shared/text.ts";
import type { Path } from "./path.ts";
import { roundBound } from "./settings.ts";

interface Events {
  onStep(step: number): void;
  onBound(bound: number): void;
}

const height = 128;
const limits = { least: 1e-6, most: 1e6 };

/** Loss, norm and scale over the steps, one above the other with one cursor; the bound in the norm is dragged. */
export class Strips {
  readonly #plots: uPlot[];
  #bound = 1;
  #step = 0;

  constructor(containers: readonly HTMLElement[], stepCount: number, events: Events) {
    this.#plots = containers.map((container, index) => {
      const plot = new uPlot(this.#options(container, index, stepCount), [[], [], []], container);
      new ResizeObserver(() => plot.setSize({ width: container.clientWidth, height })).observe(container);
      plot.over.addEventListener("pointermove", (event) => {
        if (plot.over.hasPointerCapture(event.pointerId)) return;
        const at = plot.posToIdx(event.offsetX);
        if (at !== this.#step) events.onStep(at);
      });
      return plot;
    });
    this.#makeBoundDraggable(this.#plots[1] as uPlot, events);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
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
    this.#redraw();
  }

  #redraw(): void {
    for (const plot of this.#plots) plot.redraw(false, true);
  }

  #options(container: HTMLElement, index: number, stepCount: number): uPlot.Options {
    const axis = { stroke: () => color("--faint"), font: "12px system-ui, sans-serif", ticks: { show: false } };
    const line = (property: string): uPlot.Series => ({
      stroke: () => color(property),
      width: 1.75,
      points: { show: false },
    });
    const isLast = index === 2;
    return {
      width: container.clientWidth,
      height,
      padding: [8, 14, isLast ? 0 : 6, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: [0, stepCount] },
        y: isLast ? { range: [0, 1.05] } : { distr: 3, range: index === 0 ? [1e-6, 2] : [1e-4, 1e5] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 24, show: isLast },
        { ...axis, grid: { stroke: () => color("--grid"), width: 1 }, size: 46, ...(!isLast && decades) },
      ],
      series: [{}, line("--unclipped"), line("--clipped")],
      hooks: { draw: [(plot) => this.#annotate(plot, index)] },
    };
  }

  #annotate(plot: uPlot, index: number): void {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    const x = plot.valToPos(this.#step, "x", true);
    ctx.save();
    ctx.strokeStyle = color("--faint");
    ctx.lineWidth = scale;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (index === 1) {
      const y = plot.valToPos(this.#bound, "y", true);
      ctx.strokeStyle = ctx.fillStyle = color("--ink");
      ctx.lineWidth = 1.5 * scale;
      ctx.setLineDash([6 * scale, 4 * scale]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.font = `600 ${12 * scale}px system-ui, sans-serif`;
      ctx.textAlign = "right";
      ctx.fillText(`↕ bound ${this.#bound}`, bbox.left + bbox.width - 4 * scale, y - 5 * scale);
    }
    ctx.restore();
  }

  /** Anywhere in the strip: the line goes where the pointer is. */
  #makeBoundDraggable({ over, posToVal }: uPlot, { onBound }: Events): void {
    over.classList.add("draggable");
    const drag = ({ offsetY }: PointerEvent) => onBound(roundBound(posToVal(offsetY, "y")));
    over.addEventListener("pointerdown", (event) => {
      over.setPointerCapture(event.pointerId);
      drag(event);
    });
    over.addEventListener("pointermove", (event) => {
      if (over.hasPointerCapture(event.pointerId)) drag(event);
    });
  }
}

/** The lengths of pairs. */
function lengths(pairs: Float32Array): number[] {
  return Array.from({ length: pairs.length / 2 }, (_, step) =>
    Math.hypot(pairs[2 * step] as number, pairs[2 * step + 1] as number),
  );
}

const decades: uPlot.Axis = {
  splits: (_plot, _axis, lowest, highest) => {
    const first = Math.ceil(Math.log10(lowest));
    const count = Math.floor(Math.log10(highest)) - first + 1;
    return Array.from({ length: count }, (_, index) => 10 ** (first + index)).filter((_, index) => index % 2 === 0);
  },
  values: (_plot, powers) =>
    powers.map((power) => (power < 0.01 || power > 1000 ? `1e${Math.round(Math.log10(power))}` : `${power}`)),
  // Without a filter of its own uPlot drops labels from logarithmic axes.
  filter: (_plot, powers) => powers,
};
