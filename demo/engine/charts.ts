import type uPlot from "uplot";
import { curve, markStep, plotIn } from "../shared/plot.ts";
import { written } from "../shared/text.ts";
import type { Reading } from "./training.ts";

/** A batch of 32 gives noisy numbers. The chart also shows the median of so many. */
const medianLength = 15;

interface ChartOptions {
  /** The axis covers at least these. */
  least: [number, number];
  /** The axis reaches at most so far; without it, to the largest value. */
  most?: number;
  isLogarithmic?: boolean;
}

/** What a chart shows: a value and perhaps a bound for each of some steps. */
interface Points {
  steps: readonly number[];
  values: readonly number[];
  bounds?: readonly number[];
}

/** One quantity over the steps. */
export class Chart {
  readonly #plot: uPlot;
  readonly #options: ChartOptions;
  #points: Points = { steps: [], values: [] };
  #faults: readonly Reading[] = [];
  #steps = 1;

  constructor(container: HTMLElement, options: ChartOptions) {
    this.#options = options;
    const { isLogarithmic } = options;
    this.#plot = plotIn(container, {
      height: 220,
      padding: [10, 20, 0, 0],
      cursor: { show: false },
      scales: {
        x: { time: false, range: () => [0, this.#steps] },
        y: { distr: isLogarithmic ? 3 : 1, range: (_, lowest, highest) => this.#range(lowest, highest) },
      },
      decades: isLogarithmic ? 1 : undefined,
      series: [{}, curve("--clipped-faint", 1), curve("--clipped", 2), curve("--unclipped", 1.5, [5, 4])],
      hooks: { draw: [() => this.#markFaults()] },
    });
  }

  draw(points: Points, faults: readonly Reading[], lastStep: number): void {
    const { steps, values, bounds = [] } = points;
    this.#points = points;
    this.#faults = faults;
    this.#steps = lastStep;
    const raw = values.map(finiteOrNull);
    this.#plot.setData([[...steps], raw, runningMedian(raw), steps.map((_, i) => finiteOrNull(bounds[i]))]);
  }

  #range(lowest: number | null, highest: number | null): uPlot.Range.MinMax {
    const { least, most = Infinity, isLogarithmic } = this.#options;
    const [bottom, top] = [Math.min(least[0], lowest ?? least[0]), Math.max(least[1], highest ?? least[1])];
    if (!isLogarithmic) return [bottom, Math.min(top * 1.05, most)];
    return [10 ** Math.floor(Math.log10(bottom)), 10 ** Math.ceil(Math.log10(Math.min(top, most)))];
  }

  #markFaults(): void {
    const top = this.#plot.scales.y?.max ?? Infinity;
    const labels = this.#faults.map(({ step, fault }, index) => {
      const value = this.#points.values[this.#points.steps.indexOf(step)] ?? Number.NaN;
      // An arrow leads beyond the axis.
      const label = fault === "nan" ? "NaN" : `wild batch: ${written(value)}${value > top ? " ↑" : ""}`;
      return markStep(this.#plot, step, { property: "--unclipped", label }, index % 3);
    });
    for (const write of labels) write();
  }
}

function finiteOrNull(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** A median, because a mean would show one spoiled batch for long. */
function runningMedian(values: (number | null)[]): (number | null)[] {
  return values.map((value, index) => {
    if (value === null) return null;
    const window = values.slice(Math.max(0, index + 1 - medianLength), index + 1).filter((item) => item !== null);
    return window.sort((a, b) => a - b)[Math.floor(window.length / 2)] ?? null;
  });
}
