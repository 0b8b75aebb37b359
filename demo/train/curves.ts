import { uPlot } from "../shared/plot.ts";
import { color } from "../shared/text.ts";
import { type Histories, type RunName, runNames } from "./history.ts";

/** A batch of 16 is a noisy judge: over each raw curve lies its mean over this many steps. */
const meanLength = 20;

type Quantity = "loss" | "norm";

interface Rule {
  at: number;
  label: string;
}

interface CurveOptions {
  quantity: Quantity;
  stepCount: number;
  /** Where the axis may reach; what lies beyond leaves the plot. */
  limits: { lowest: number; highest: number };
  isLogarithmic: boolean;
  rule?: Rule;
  onHover(step: number | undefined): void;
}

const height = 240;
const seriesOf = [false, true].flatMap((isMean) => runNames.map((run) => ({ run, isMean })));
export const inks: Record<RunName, string> = { none: "--unclipped", value: "--value", chosen: "--clipped" };

/** One chart of all runs over the steps. */
export class Curves {
  readonly #plot: uPlot;
  readonly #options: CurveOptions;
  #histories: Histories | undefined;

  constructor(container: HTMLElement, options: CurveOptions) {
    this.#options = options;
    this.#plot = new uPlot(this.#plotOptions(container), emptyData(), container);
    new ResizeObserver(() => this.#plot.setSize({ width: container.clientWidth, height })).observe(container);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#plot.redraw(false, true));
  }

  draw(histories: Histories, rule: Rule | undefined): void {
    this.#histories = histories;
    this.#options.rule = rule;
    const { quantity } = this.#options;
    const length = Math.max(...runNames.map((run) => histories[run].loss.length));
    const steps = Array.from({ length }, (_, index) => index + 1);
    const values = seriesOf.map(({ run, isMean }) => {
      const raw = padded(histories[run][quantity], length);
      return isMean ? runningMean(raw, this.#options.isLogarithmic) : raw;
    });
    this.#plot.setData([steps, ...values] as uPlot.AlignedData);
  }

  #plotOptions(container: HTMLElement): uPlot.Options {
    const { stepCount, isLogarithmic, onHover } = this.#options;
    const axis = { stroke: () => color("--faint"), font: "12px system-ui, sans-serif", ticks: { show: false } };
    const grid = { stroke: () => color("--grid"), width: 1 };
    return {
      width: container.clientWidth,
      height,
      padding: [10, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "steps" }, points: { show: false } },
      scales: {
        x: { time: false, range: [0, stepCount] },
        y: { distr: isLogarithmic ? 3 : 1, range: (_, __, highest) => this.#range(highest) },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 28 },
        { ...axis, grid, size: 46, ...(isLogarithmic && decades) },
      ],
      series: [{}, ...seriesOf.map(line)],
      hooks: {
        draw: [() => this.#annotate()],
        setCursor: [(plot) => onHover(plot.cursor.idx ?? undefined)],
      },
    };
  }

  #range(highest: number | null): uPlot.Range.MinMax {
    const { limits, isLogarithmic, rule } = this.#options;
    const top = Math.max((rule?.at ?? 0) * 1.3, Math.min(limits.highest, highest ?? limits.lowest));
    if (!isLogarithmic) return [0, top];
    const decadeBelow = (value: number) => 10 ** Math.floor(Math.log10(value));
    return [decadeBelow(Math.min(limits.lowest, (rule?.at ?? Infinity) / 2)), decadeBelow(Math.max(top, 10)) * 10];
  }

  #annotate(): void {
    const { ctx, bbox } = this.#plot;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    ctx.lineWidth = scale;
    ctx.setLineDash([4 * scale, 4 * scale]);
    const { rule } = this.#options;
    if (rule) this.#drawRule(ctx, bbox, scale, rule);
    const explodedAt = this.#histories?.none.explodedAt;
    if (explodedAt) this.#drawExplosion(ctx, bbox, scale, explodedAt);
    ctx.restore();
  }

  #drawRule(ctx: CanvasRenderingContext2D, bbox: uPlot.BBox, scale: number, { at, label }: Rule): void {
    const y = this.#plot.valToPos(at, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) return;
    ctx.strokeStyle = ctx.fillStyle = color("--faint");
    stroke(ctx, bbox.left, y, bbox.left + bbox.width, y);
    ctx.textAlign = "right";
    ctx.fillText(label, bbox.left + bbox.width - 2 * scale, y - 5 * scale);
  }

  #drawExplosion(ctx: CanvasRenderingContext2D, bbox: uPlot.BBox, scale: number, step: number): void {
    const x = this.#plot.valToPos(step, "x", true);
    const isRight = x > bbox.left + bbox.width / 2;
    ctx.strokeStyle = ctx.fillStyle = color("--unclipped");
    stroke(ctx, x, bbox.top, x, bbox.top + bbox.height);
    ctx.textAlign = isRight ? "right" : "left";
    ctx.fillText(`not clipped: exploded at step ${step}`, x + (isRight ? -6 : 6) * scale, bbox.top + 12 * scale);
  }
}

function line({ run, isMean }: { run: RunName; isMean: boolean }): uPlot.Series {
  return {
    // Faint noise under the mean, except where its last leap is the story.
    stroke: () => color(isMean || run === "none" ? inks[run] : `${inks[run]}-faint`),
    width: isMean ? 2 : 1,
    points: { show: false },
  };
}

function stroke(ctx: CanvasRenderingContext2D, fromX: number, fromY: number, toX: number, toY: number): void {
  ctx.beginPath();
  ctx.moveTo(fromX, fromY);
  ctx.lineTo(toX, toY);
  ctx.stroke();
}

function padded(values: (number | null)[], length: number): (number | null)[] {
  return Array.from({ length }, (_, index) => values[index] ?? null);
}

/** Over the last steps that have a value; of logarithms on a logarithmic axis, where a mean belongs to the eye. */
function runningMean(values: (number | null)[], isLogarithmic: boolean): (number | null)[] {
  const [toAxis, fromAxis] = isLogarithmic ? [Math.log, Math.exp] : [Number, Number];
  return values.map((value, index) => {
    if (value === null) return null;
    const window = values.slice(Math.max(0, index + 1 - meanLength), index + 1).filter((item) => item !== null);
    return fromAxis(window.reduce((sum, item) => sum + toAxis(item), 0) / window.length);
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

function emptyData(): uPlot.AlignedData {
  return [[], ...seriesOf.map(() => [])] as unknown as uPlot.AlignedData;
}
