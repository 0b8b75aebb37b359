import type uPlot from "uplot";
import { burst, curve, markPoints, markStep, markValue, plotIn } from "../shared/plot.ts";
import { type Histories, type History, type RunName, runNames } from "./history.ts";

/** A batch of 16 gives noisy numbers. The chart also shows the mean over so many steps. */
const meanLength = 20;

type Quantity = "loss" | "norm";

interface Rule {
  at: number;
  label: string;
}

interface CurveOptions {
  quantity: Quantity;
  stepCount: number;
  /** The largest extent of the axis. Values beyond it leave the plot. */
  limits: { lowest: number; highest: number };
  isLogarithmic: boolean;
  rule?: Rule;
  /** Whether ticks on the third run's curve show where its steps were clipped. */
  showsClipping?: boolean;
  onHover(step: number | undefined): void;
}

const seriesOf = [false, true].flatMap((isMean) => runNames.map((run) => ({ run, isMean })));
export const inks: Record<RunName, string> = { none: "--unclipped", value: "--value", chosen: "--clipped" };

const explodedNames: Record<RunName, string> = { none: "not clipped", value: "by value", chosen: "third run" };

/** One chart of all runs over the steps. */
export class Curves {
  readonly #plot: uPlot;
  readonly #options: CurveOptions;
  #histories: Histories | undefined;
  /** The third run before this one, as its mean. */
  #before: (number | null)[] = [];

  constructor(container: HTMLElement, options: CurveOptions) {
    this.#options = options;
    const { stepCount, isLogarithmic, onHover } = options;
    this.#plot = plotIn(container, {
      height: 240,
      padding: [10, 12, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "steps" }, points: { show: false } },
      scales: {
        x: { time: false, range: [0, stepCount] },
        y: { distr: isLogarithmic ? 3 : 1, range: (_, __, highest) => this.#range(highest) },
      },
      decades: isLogarithmic ? 1 : undefined,
      series: [{}, curve("--faint", 1.25, [3, 3]), ...seriesOf.map(line)],
      hooks: {
        draw: [() => this.#annotate()],
        setCursor: [(plot) => onHover(plot.cursor.idx ?? undefined)],
      },
    });
  }

  /** The third run as it is now stays, faint, beside the one that follows. */
  keep(): void {
    const values = this.#histories?.chosen[this.#options.quantity] ?? [];
    this.#before = runningMean(values, this.#options.isLogarithmic);
  }

  draw(histories: Histories, rule: Rule | undefined): void {
    this.#histories = histories;
    this.#options.rule = rule;
    const { quantity } = this.#options;
    const length = Math.max(this.#before.length, ...runNames.map((run) => histories[run].loss.length));
    const steps = Array.from({ length }, (_, index) => index + 1);
    const values = seriesOf.map(({ run, isMean }) => {
      const raw = padded(histories[run][quantity], length);
      return isMean ? runningMean(raw, this.#options.isLogarithmic) : raw;
    });
    this.#plot.setData([steps, padded(this.#before, length), ...values] as uPlot.AlignedData);
  }

  #range(highest: number | null): uPlot.Range.MinMax {
    const { limits, isLogarithmic, rule } = this.#options;
    const top = Math.max((rule?.at ?? 0) * 1.3, Math.min(limits.highest, highest ?? limits.lowest));
    if (!isLogarithmic) return [0, top];
    const decadeBelow = (value: number) => 10 ** Math.floor(Math.log10(value));
    return [decadeBelow(Math.min(limits.lowest, (rule?.at ?? Infinity) / 2)), decadeBelow(Math.max(top, 10)) * 10];
  }

  #annotate(): void {
    const dash = [4, 4];
    const { rule } = this.#options;
    const histories = this.#histories;
    const labels = [
      rule && markValue(this.#plot, rule.at, { property: "--faint", dash, label: rule.label }),
      ...runNames.map((run, row) => histories && this.#annotateRun(run, histories[run], row)),
    ];
    for (const write of labels) write?.();
  }

  /** Returns what writes the label, if there is one. */
  #annotateRun(run: RunName, history: History, row: number): (() => void) | undefined {
    const values = history[this.#options.quantity];
    if (this.#options.showsClipping && run === "chosen") {
      const points = values.flatMap((value, index) =>
        value !== null && history.clipped[index] ? [[index + 1, value] as const] : [],
      );
      markPoints(this.#plot, points, inks[run]);
    }
    const { explodedAt } = history;
    if (!explodedAt) return undefined;
    const label = `${explodedNames[run]}: exploded at step ${explodedAt}`;
    const mark = { property: inks[run], dash: [4, 4], label, isBold: true, gap: 16 };
    const write = markStep(this.#plot, explodedAt, mark, row);
    const last = values.filter((value) => value !== null).at(-1);
    if (last) burst(this.#plot, explodedAt, last, inks[run]);
    return write;
  }
}

/** Raw curves are faint, except that of the run without clipping: its last leap is the point. */
function line({ run, isMean }: { run: RunName; isMean: boolean }): uPlot.Series {
  return curve(isMean || run === "none" ? inks[run] : `${inks[run]}-faint`, isMean ? 2 : 1);
}

function padded(values: (number | null)[], length: number): (number | null)[] {
  return Array.from({ length }, (_, index) => values[index] ?? null);
}

/** The mean over the last steps with a value. On a logarithmic axis it is the mean of logarithms, as the eye sees it. */
function runningMean(values: (number | null)[], isLogarithmic: boolean): (number | null)[] {
  const [toAxis, fromAxis] = isLogarithmic ? [Math.log, Math.exp] : [Number, Number];
  return values.map((value, index) => {
    if (value === null) return null;
    const window = values.slice(Math.max(0, index + 1 - meanLength), index + 1).filter((item) => item !== null);
    return fromAxis(window.reduce((sum, item) => sum + toAxis(item), 0) / window.length);
  });
}
