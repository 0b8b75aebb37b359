// The summary as an SVG of its own: it follows the reader's colour scheme, in a README as on the page.

import { goal, learningRates, type Mode } from "./plan.ts";
import type { CellSummary, Summary } from "./summary.ts";

const panel = { width: 270, height: 190, top: 46, gap: 46, left: 44 };
const modes: readonly Mode[] = ["none", "value", "norm"];
const names: Record<Mode, string> = { none: "not clipped", value: "by value, 0.1", norm: "by norm, 1" };

const style = `
text { font: 12px system-ui, sans-serif; fill: #5c6270 }
.title { font-weight: 600; fill: #1d2129 }
.grid { stroke: #dedbd4 }
.none { stroke: #c23c12; fill: #c23c12 } .value { stroke: #0a7560; fill: #0a7560 } .norm { stroke: #1f63d6; fill: #1f63d6 }
text.none, text.value, text.norm { stroke: none }
path.none, path.value, path.norm { fill: none; stroke-width: 2 } .whisker { stroke-width: 1.5; opacity: .5 }
@media (prefers-color-scheme: dark) {
text { fill: #a5abb8 } .title { fill: #e8e6e1 } .grid { stroke: #31363f }
.none { stroke: #ff8a5c; fill: #ff8a5c } .value { stroke: #45cfae; fill: #45cfae } .norm { stroke: #74a7ff; fill: #74a7ff }
}`;

export function drawFigure(summary: Summary): string {
  const exploded = panelOf(0, "Share of seeds that exploded", (cell) => ({
    at: cell.exploded / cell.seeds,
    interval: cell.explodedInterval,
  }))(summary.cells);
  const accuracy = panelOf(1, "Held-out accuracy at the end, median", ({ accuracy }) => ({
    at: accuracy.value ?? 0,
    interval: [accuracy.interval[0] ?? 0, accuracy.interval[1] ?? 0],
  }))(summary.cells);
  const width = 3 * (panel.left + panel.width) + 2 * panel.gap - 60;
  const legend = modes.map(
    (mode, index) => `<text class="${mode}" x="${panel.left + index * 110}" y="16">● ${names[mode]}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${panel.top + panel.height + 44}" role="img" aria-label="The experiment: explosions and accuracy by learning rate, and steps to the goal"><style>${style}</style>
${legend.join("")}
${exploded}
${accuracy}
${bars(summary)}
</svg>
`;
}

type Point = { at: number; interval: readonly [number, number] };

/** Values from 0 to 1 over the learning rates. */
function panelOf(column: number, title: string, pointOf: (cell: CellSummary) => Point) {
  const left = panel.left + column * (panel.width + panel.gap);
  const y = (value: number) => round(panel.top + panel.height * (1 - value));
  const x = (rate: number, shift: number) =>
    round(left + (panel.width * (learningRates.indexOf(rate) + 0.5)) / learningRates.length + shift);
  return (cells: readonly CellSummary[]): string => {
    const grid = [0, 0.25, 0.5, 0.75, 1].map(
      (value) =>
        `<line class="grid" x1="${left}" x2="${left + panel.width}" y1="${y(value)}" y2="${y(value)}"/><text x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${100 * value} %</text>`,
    );
    const labels = learningRates.map(
      (rate) => `<text x="${x(rate, 0)}" y="${panel.top + panel.height + 18}" text-anchor="middle">${rate}</text>`,
    );
    const lines = modes.map((mode, index) => {
      const shift = (index - 1) * 7;
      const points = cells
        .filter((cell) => cell.mode === mode)
        .map((cell) => ({ x: x(cell.learningRate, shift), ...pointOf(cell) }));
      const marks = points.map(
        ({ x, at, interval: [low, high] }) =>
          `<line class="${mode} whisker" x1="${x}" x2="${x}" y1="${y(low)}" y2="${y(high)}"/><circle class="${mode}" cx="${x}" cy="${y(at)}" r="3.5"/>`,
      );
      return `<path class="${mode}" d="M${points.map(({ x, at }) => `${x} ${y(at)}`).join("L")}"/>${marks.join("")}`;
    });
    const caption = `<text x="${left + panel.width / 2}" y="${panel.top + panel.height + 36}" text-anchor="middle">learning rate</text>`;
    return [
      `<text class="title" x="${left}" y="${panel.top - 12}">${title}</text>`,
      ...grid,
      ...labels,
      ...lines,
      caption,
    ].join("\n");
  };
}

/** Median steps to the goal: at each method's best rate, and what a smaller rate without clipping costs. */
function bars({ longRuns, cells, findings }: Summary): string {
  const left = panel.left + 2 * (panel.width + panel.gap);
  const best = (mode: Mode) =>
    cells.find((cell) => cell.mode === mode && cell.learningRate === findings[mode].bestRate);
  const rows = [best("norm"), best("value"), ...longRuns].filter((cell) => cell !== undefined);
  const most = Math.max(...rows.map(({ stepsToGoal }) => stepsToGoal.value ?? 0), 1);
  const drawn = rows.map((cell, index) => {
    const y = panel.top + index * 46;
    const steps = cell.stepsToGoal.value;
    const width = round(((panel.width - 60) * (steps ?? most)) / most);
    const text = steps === null ? `fewer than half of the seeds` : `${steps}`;
    return `<text x="${left}" y="${y + 12}">${names[cell.mode]}, rate ${cell.learningRate} (${cell.arrived} of ${cell.seeds} arrive)</text><rect class="${cell.mode}" x="${left}" y="${y + 18}" width="${steps === null ? 2 : width}" height="10"/><text x="${left + (steps === null ? 8 : width + 6)}" y="${y + 28}">${text}</text>`;
  });
  return `<text class="title" x="${left}" y="${panel.top - 12}">Steps to an accuracy of ${goal}, median</text>${drawn.join("\n")}`;
}

function round(value: number): number {
  return Number(value.toFixed(1));
}
