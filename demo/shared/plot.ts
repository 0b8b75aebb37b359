// The charts of all pages. uPlot makes a number format of the browser's language while it loads: language.ts comes first.

import "./language.ts";
import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import { color } from "./text.ts";

interface PlotOptions extends Pick<uPlot.Options, "padding" | "scales" | "series" | "cursor" | "hooks"> {
  height: number;
  /** The height of the axis of steps in pixels; 0 hides it. */
  stepsHeight?: number;
  /** For a logarithmic axis: 1 labels every power of ten, 2 every second. */
  decades?: number | undefined;
}

/** An empty plot over the steps. It follows its container's width and the page's colours. */
export function plotIn(container: HTMLElement, options: PlotOptions): uPlot {
  const { height, stepsHeight = 28, decades, ...rest } = options;
  const axis: uPlot.Axis = {
    stroke: () => color("--faint"),
    font: "12px system-ui, sans-serif",
    ticks: { show: false },
  };
  const grid = { stroke: () => color("--grid"), width: 1 };
  const width = container.clientWidth;
  const axes = [
    { ...axis, grid: { show: false }, size: stepsHeight, show: stepsHeight > 0 },
    { ...axis, grid, size: 46, ...(decades && decadesAxis(decades)) },
  ];
  const nothing = rest.series.map(() => []) as unknown as uPlot.AlignedData;
  const plot = new uPlot({ width, height, legend: { show: false }, axes, ...rest }, nothing, container);
  new ResizeObserver(() => plot.setSize({ width: container.clientWidth, height })).observe(container);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw(false, true));
  // When the GPU process has ended, a canvas comes back empty.
  plot.ctx.canvas.addEventListener("contextrestored", () => plot.redraw(false, true));
  return plot;
}

/** A curve in a colour of the style sheet. */
export function curve(property: string, width: number, dash?: number[]): uPlot.Series {
  return { stroke: () => color(property), width, points: { show: false }, ...(dash && { dash }) };
}

/** uPlot's own logarithmic grid has nine lines a decade, too many for a small chart. */
function decadesAxis(stride: number): uPlot.Axis {
  return {
    splits: (_plot, _axis, lowest, highest) => {
      const [first, last] = [Math.round(Math.log10(lowest)), Math.round(Math.log10(highest))];
      const count = Math.floor((last - first) / stride) + 1;
      return Array.from({ length: count }, (_, index) => 10 ** (first + stride * index));
    },
    values: (_plot, powers) =>
      powers.map((power) => (power < 0.01 || power > 1000 ? `1e${Math.round(Math.log10(power))}` : `${power}`)),
    // Without a filter of its own uPlot drops labels from logarithmic axes.
    filter: (_plot, powers) => powers,
  };
}

/** A straight line across the plot, in a colour of the style sheet. */
export interface Mark {
  property: string;
  dash?: number[];
  label?: string;
  isBold?: boolean;
  /** From a step's line to its label; default 6. */
  gap?: number;
}

/** Writes a mark's label. A chart draws all its lines first, so that none runs through a label. */
type WriteLabel = () => void;

/** Draws a line at a step. The label stands at the top, `row` lines down, on the side with more room. */
export function markStep(plot: uPlot, step: number, mark: Mark, row = 0): WriteLabel {
  const { left, top, width, height } = plot.bbox;
  const x = plot.valToPos(step, "x", true);
  const isRight = x > left + width / 2;
  const gap = mark.gap ?? 6;
  drawLine(plot, mark, [x, top, x, top + height]);
  const at = starPlace(plot, step);
  return () => writeLabel(plot, mark, [at, top], isRight ? "right" : "left", isRight ? -gap : gap, 12 + 14 * row);
}

/** Draws a line at a value that lies inside the plot. The label stands above the line's right end. */
export function markValue(plot: uPlot, value: number, mark: Mark): WriteLabel {
  const { left, top, width, height } = plot.bbox;
  const y = plot.valToPos(value, "y", true);
  if (y < top || y > top + height) return () => {};
  drawLine(plot, mark, [left, y, left + width, y]);
  return () => writeLabel(plot, mark, [left + width, y], "right", -4, -5);
}

/** A short tick across the curve at each of these points. */
export function markPoints(plot: uPlot, points: readonly (readonly [number, number])[], property: string): void {
  const { ctx, bbox } = plot;
  // Few ticks are bold.
  const [width, half] = points.length < 60 ? [3, 7] : [1, 4];
  ctx.save();
  ctx.strokeStyle = color(property);
  ctx.lineWidth = width * devicePixelRatio;
  ctx.beginPath();
  for (const [step, value] of points) {
    // On whole pixels, so that ticks side by side do not blur.
    const x = Math.round(plot.valToPos(step, "x", true)) + 0.5;
    const y = within(bbox, plot.valToPos(value, "y", true));
    ctx.moveTo(x, y - half * devicePixelRatio);
    ctx.lineTo(x, y + half * devicePixelRatio);
  }
  ctx.stroke();
  ctx.restore();
}

function within({ top, height }: uPlot.BBox, y: number): number {
  return Math.max(top, Math.min(top + height, y));
}

const starReach = 13;

/** Where a star stands for a step: at the left edge it is moved in, so that the labels of the axis stay free. */
function starPlace(plot: uPlot, step: number): number {
  return Math.max(plot.bbox.left + starReach * devicePixelRatio, plot.valToPos(step, "x", true));
}

/** The end of a run that exploded: a star where it was last, or at the edge of the plot. */
export function burst(plot: uPlot, step: number, value: number, property: string): void {
  const { ctx, bbox } = plot;
  const longest = starReach * devicePixelRatio;
  const x = starPlace(plot, step);
  const y = within(bbox, plot.valToPos(value, "y", true));
  const points = 11;
  ctx.save();
  ctx.fillStyle = color(property);
  ctx.beginPath();
  for (let point = 0; point < 2 * points; point++) {
    const reach = point % 2 === 0 ? longest : 6 * devicePixelRatio;
    const angle = (point * Math.PI) / points;
    ctx.lineTo(x + reach * Math.cos(angle), y + reach * Math.sin(angle));
  }
  ctx.fill();
  ctx.restore();
}

function drawLine(
  { ctx }: uPlot,
  { property, dash = [], isBold = false }: Mark,
  [startX, startY, endX, endY]: [number, number, number, number],
): void {
  ctx.save();
  ctx.strokeStyle = color(property);
  ctx.lineWidth = (isBold ? 1.5 : 1) * devicePixelRatio;
  ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(startX, startY);
  ctx.lineTo(endX, endY);
  ctx.stroke();
  ctx.restore();
}

/** The label is set off from a point of its line. A halo keeps it apart from the curves. */
function writeLabel(
  { ctx }: uPlot,
  { property, label, isBold = false }: Mark,
  [x, y]: [number, number],
  align: CanvasTextAlign,
  right: number,
  down: number,
): void {
  if (!label) return;
  const scale = devicePixelRatio;
  const place = [x + right * scale, y + down * scale] as const;
  ctx.save();
  ctx.font = `${isBold ? 600 : 400} ${12 * scale}px system-ui, sans-serif`;
  ctx.textAlign = align;
  // uPlot leaves the baseline of its axes, on which a label would touch its line.
  ctx.textBaseline = "alphabetic";
  ctx.lineJoin = "round";
  ctx.lineWidth = 4 * scale;
  ctx.strokeStyle = color("--paper");
  ctx.strokeText(label, ...place);
  ctx.fillStyle = color(property);
  ctx.fillText(label, ...place);
  ctx.restore();
}
