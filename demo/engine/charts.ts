import { uPlot } from "../shared/plot.ts";
import type { Reading } from "./training.ts";

/** A batch of 32 is a noisy judge: over the raw curve lies its median of this many readings. */
const medianLength = 15;
const height = 220;

interface ChartOptions {
  quantity: "loss" | "norm";
  /** Where the axis begins and ends at least, and at most. */
  least: [number, number];
  most: number;
  isLogarithmic?: boolean;
}

/** One quantity over the steps; of the norm, also the bound that it was held against. */
export class Chart {
  readonly #plot: uPlot;
  readonly #options: ChartOptions;
  #readings: readonly Reading[] = [];
  #steps = 1;

  constructor(container: HTMLElement, options: ChartOptions) {
    this.#options = options;
    this.#plot = new uPlot(this.#plotOptions(container), [[], [], [], []], container);
    new ResizeObserver(() => this.#plot.setSize({ width: container.clientWidth, height })).observe(container);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#plot.redraw(false, true));
  }

  draw(readings: readonly Reading[], steps: number): void {
    const { quantity } = this.#options;
    this.#readings = readings;
    this.#steps = steps;
    const raw = readings.map((reading) => (Number.isFinite(reading[quantity]) ? reading[quantity] : null));
    const bounds = readings.map(({ bound }) => (quantity === "norm" && Number.isFinite(bound) ? bound : null));
    this.#plot.setData([readings.map(({ step }) => step), raw, runningMedian(raw), bounds]);
  }

  #plotOptions(container: HTMLElement): uPlot.Options {
    const { isLogarithmic } = this.#options;
    const axis = { stroke: () => color("--faint"), font: "12px system-ui, sans-serif", ticks: { show: false } };
    const grid = { stroke: () => color("--grid"), width: 1 };
    const line = (property: string, more: Partial<uPlot.Series>): uPlot.Series => ({
      stroke: () => color(property),
      points: { show: false },
      ...more,
    });
    return {
      width: container.clientWidth,
      height,
      padding: [10, 20, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: () => [0, this.#steps] },
        y: { distr: isLogarithmic ? 3 : 1, range: (_, lowest, highest) => this.#range(lowest, highest) },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 28 },
        { ...axis, grid, size: 46, ...(isLogarithmic && decades) },
      ],
      series: [
        {},
        line("--clipped-faint", { width: 1 }),
        line("--clipped", { width: 2 }),
        line("--unclipped", { width: 1.5, dash: [5, 4] }),
      ],
      hooks: { draw: [() => this.#markFaults()] },
    };
  }

  #range(lowest: number | null, highest: number | null): uPlot.Range.MinMax {
    const { least, most, isLogarithmic } = this.#options;
    const [bottom, top] = [Math.min(least[0], lowest ?? least[0]), Math.max(least[1], highest ?? least[1])];
    if (!isLogarithmic) return [bottom, Math.min(top * 1.05, most)];
    return [10 ** Math.floor(Math.log10(bottom)), 10 ** Math.ceil(Math.log10(Math.min(top, most)))];
  }

  #markFaults(): void {
    const { ctx, bbox } = this.#plot;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    ctx.strokeStyle = ctx.fillStyle = color("--unclipped");
    ctx.lineWidth = scale;
    const faults = this.#readings.filter(({ fault }) => fault !== undefined);
    for (const [index, { step, fault }] of faults.entries()) {
      const x = this.#plot.valToPos(step, "x", true);
      const isRight = x > bbox.left + bbox.width / 2;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.textAlign = isRight ? "right" : "left";
      const label = fault === "nan" ? "NaN" : "wild batch";
      ctx.fillText(label, x + (isRight ? -5 : 5) * scale, bbox.top + (12 + 14 * (index % 3)) * scale);
    }
    ctx.restore();
  }
}

/** A mean would keep the trace of one spoiled batch. */
function runningMedian(values: (number | null)[]): (number | null)[] {
  return values.map((value, index) => {
    if (value === null) return null;
    const window = values.slice(Math.max(0, index + 1 - medianLength), index + 1).filter((item) => item !== null);
    return window.sort((a, b) => a - b)[Math.floor(window.length / 2)] ?? null;
  });
}

/** uPlot's own logarithmic grid has nine lines a decade, too many for a small chart. */
const decades: uPlot.Axis = {
  splits: (_plot, _axis, lowest, highest) => {
    const [first, last] = [Math.round(Math.log10(lowest)), Math.round(Math.log10(highest))];
    return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  },
  values: (_plot, powers) =>
    powers.map((power) => (power < 0.01 || power > 1000 ? `1e${Math.round(Math.log10(power))}` : `${power}`)),
  // Without a filter of its own uPlot drops labels from logarithmic axes.
  filter: (_plot, powers) => powers,
};

function color(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property);
}
