import { figuresOf } from "./figures.ts";
import { CLIP, COPY, READ, READ_AND_WRITE, UNCLIPPED } from "./names.ts";
import type { Row } from "./types.ts";

/** The results that the plot needs. */
export interface Plotted {
  readonly workloads: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly isArena: boolean;
    readonly elements: number;
  }[];
  readonly rows: readonly Row[];
}

interface Line {
  readonly contestant: string;
  readonly label: string;
  /** A class of the style sheet; without a style sheet see `standalone`. */
  readonly name: "clipped" | "kept" | "read" | "write" | "copy";
}

const lines: readonly Line[] = [
  { contestant: COPY, label: "copyBufferToBuffer", name: "copy" },
  { contestant: READ, label: "limit: read only", name: "read" },
  { contestant: READ_AND_WRITE, label: "limit: read and write", name: "write" },
  { contestant: UNCLIPPED, label: "gradclip, under the bound", name: "kept" },
  { contestant: CLIP, label: "gradclip, clipping", name: "clipped" },
];

const [width, height] = [720, 400];
const box = { left: 58, right: 700, top: 14, bottom: 320 };

type Point = readonly [bytes: number, gigabytesPerSecond: number];

/** An SVG of bandwidth against the size of the gradients, both logarithmic; undefined if fewer than two sizes ran. */
export function bandwidthPlot({ workloads, rows }: Plotted): string | undefined {
  const arenas = workloads.filter(({ isArena, dtype }) => isArena && dtype === "f32");
  const series = lines.map((line) => ({
    ...line,
    points: arenas.flatMap(({ name, elements }): Point[] => {
      const row = rows.find(({ workload, contestant }) => workload === name && contestant === line.contestant);
      const figures = row && figuresOf(row, rows);
      return figures ? [[4 * elements, figures.gigabytesPerSecond]] : [];
    }),
  }));
  const points = series.flatMap((line) => line.points);
  if (arenas.length < 2 || points.length === 0) return undefined;
  const x = scaleOf(
    points.map(([bytes]) => bytes),
    box.left + 20,
    box.right - 20,
  );
  const y = scaleOf(
    points.map(([, speed]) => speed),
    box.bottom - 10,
    box.top + 10,
  );
  const marks = series.map(({ name, points }) => {
    const places = points.map(([bytes, speed]) => `${x(bytes)},${y(speed)}`);
    const dots = places.map((place) => {
      const [cx, cy] = place.split(",");
      return `<circle class="${name}" cx="${cx}" cy="${cy}" r="3"/>`;
    });
    return `<polyline class="${name}" points="${places.join(" ")}"/>${dots.join("")}`;
  });
  const label = "Gigabytes per second against the size of the gradients, on logarithmic axes";
  return [
    `<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">`,
    ...gridOf(points, x, y),
    ...marks,
    ...legendOf(series.filter((line) => line.points.length > 0)),
    "</svg>",
  ].join("\n");
}

function scaleOf(values: readonly number[], from: number, to: number): (value: number) => string {
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  return (value) => (from + ((Math.log(value) - low) / (high - low || 1)) * (to - from)).toFixed(1);
}

function gridOf(points: readonly Point[], x: (bytes: number) => string, y: (speed: number) => string): string[] {
  const sizes = [...new Set(points.map(([bytes]) => bytes))];
  const speeds = points.map(([, speed]) => speed);
  const ticks = [1, 2, 5].flatMap((digit) => Array.from({ length: 9 }, (_, i) => digit * 10 ** (i - 3)));
  const shown = ticks.filter((tick) => tick >= Math.min(...speeds) && tick <= Math.max(...speeds));
  return [
    ...shown.flatMap((tick) => [
      `<line class="grid" x1="${box.left}" x2="${box.right}" y1="${y(tick)}" y2="${y(tick)}"/>`,
      `<text text-anchor="end" x="${box.left - 8}" y="${Number(y(tick)) + 4}">${tick}</text>`,
    ]),
    ...sizes.map(
      (bytes) => `<text text-anchor="middle" x="${x(bytes)}" y="${box.bottom + 18}">${sizeText(bytes)}</text>`,
    ),
    `<text x="${box.left}" y="${box.top - 3}">GB/s</text>`,
    `<text text-anchor="end" x="${box.right}" y="${box.bottom + 36}">bytes of gradients</text>`,
  ];
}

function sizeText(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 1024} KiB`;
}

function legendOf(series: readonly Line[]): string[] {
  return series.flatMap(({ name, label }, i) => {
    const [left, top] = [box.left + 215 * (i % 3), box.bottom + 52 + 20 * Math.floor(i / 3)];
    return [
      `<line class="${name}" x1="${left}" x2="${left + 22}" y1="${top}" y2="${top}"/>`,
      `<text x="${left + 29}" y="${top + 4}">${label}</text>`,
    ];
  });
}

/** The plot with its own colours, for use without a style sheet. */
export function standalone(svg: string): string {
  const style = `<style>
svg { font: 12px system-ui, sans-serif; background: #fbfaf8 }
text { fill: #6a7080 }
line, polyline { fill: none; stroke-width: 2 }
.grid { stroke: #ebe9e4; stroke-width: 1 }
.clipped { stroke: #1f63d6 } circle.clipped { fill: #1f63d6 }
.kept { stroke: #0a7560 } circle.kept { fill: #0a7560 }
.read, .write { stroke: #9aa0ad } .write { stroke-dasharray: 5 3 } circle.read, circle.write { fill: #9aa0ad }
.copy { stroke: #c23c12; stroke-dasharray: 2 3 } circle.copy { fill: #c23c12 }
</style>`;
  return svg.replace(/(<svg[^>]*>)/, `$1\n${style}`);
}
