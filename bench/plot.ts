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
  { contestant: READ, label: "bare read", name: "read" },
  { contestant: READ_AND_WRITE, label: "bare read and write", name: "write" },
  { contestant: UNCLIPPED, label: "gradclip, under the bound", name: "kept" },
  { contestant: CLIP, label: "gradclip, clipping", name: "clipped" },
];

/** A place for each part of the plot. A narrow one is for a phone, where its text is as large. */
interface Box {
  readonly width: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly columns: number;
}

const boxes = {
  wide: { width: 720, left: 58, right: 700, top: 18, bottom: 320, columns: 3 },
  narrow: { width: 330, left: 40, right: 322, top: 18, bottom: 250, columns: 1 },
} as const satisfies Record<string, Box>;

export type Point = readonly [bytes: number, gigabytesPerSecond: number];

/** Another machine's clipping, a faint line. */
export interface Machine {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface PlotOptions {
  readonly shape?: keyof typeof boxes;
  readonly others?: readonly Machine[];
}

function pointsOf({ workloads, rows }: Plotted, wanted: string): Point[] {
  const arenas = workloads.filter(({ isArena, dtype }) => isArena && dtype === "f32");
  return arenas.flatMap(({ name, elements }): Point[] => {
    const row = rows.find(({ workload, contestant }) => workload === name && contestant === wanted);
    const figures = row && figuresOf(row, rows);
    return figures ? [[4 * elements, figures.gigabytesPerSecond]] : [];
  });
}

/** How fast a run's machine clips, by size. */
export function clippingOf(results: Plotted): readonly Point[] {
  return pointsOf(results, CLIP);
}

/** An SVG of bandwidth against the size of the gradients, both logarithmic; undefined if fewer than two sizes ran. */
export function bandwidthPlot(results: Plotted, { shape = "wide", others = [] }: PlotOptions = {}): string | undefined {
  const box = boxes[shape];
  const series = lines.map((line) => ({ ...line, points: pointsOf(results, line.contestant) }));
  const own = series.flatMap((line) => line.points);
  if (new Set(own.map(([bytes]) => bytes)).size < 2) return undefined;
  const points = [...own, ...others.flatMap((machine) => machine.points)];
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
  const placesOf = (points: readonly Point[]) => points.map(([bytes, speed]) => `${x(bytes)},${y(speed)}`);
  const faint = others.map(
    ({ name, points }) =>
      `<polyline class="other" points="${placesOf(points).join(" ")}"><title>${escaped(name)}</title></polyline>`,
  );
  const marks = series.map(({ name, points }) => {
    const places = placesOf(points);
    const dots = places.map((place) => {
      const [cx, cy] = place.split(",");
      return `<circle class="${name}" cx="${cx}" cy="${cy}" r="3"/>`;
    });
    return `<polyline class="${name}" points="${places.join(" ")}"/>${dots.join("")}`;
  });
  const label = "Gigabytes per second against the size of the gradients, on logarithmic axes";
  const drawn = series.filter((line) => line.points.length > 0);
  const legend = others.length > 0 ? [...drawn, { label: "clipping on other machines", name: "other" }] : drawn;
  const height = box.bottom + 52 + 20 * Math.ceil(legend.length / box.columns);
  return [
    `<svg class="plot ${shape}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${box.width} ${height}" role="img" aria-label="${label}">`,
    ...gridOf(points, own, x, y, box),
    ...faint,
    ...marks,
    ...legendOf(legend, box),
    "</svg>",
  ].join("\n");
}

function scaleOf(values: readonly number[], from: number, to: number): (value: number) => string {
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  return (value) => (from + ((Math.log(value) - low) / (high - low || 1)) * (to - from)).toFixed(1);
}

/** Names of machines come from anywhere. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function gridOf(
  points: readonly Point[],
  own: readonly Point[],
  x: (bytes: number) => string,
  y: (speed: number) => string,
  box: Box,
): string[] {
  const sizes = [...new Set(own.map(([bytes]) => bytes))];
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

function legendOf(series: readonly { name: string; label: string }[], box: Box): string[] {
  return series.flatMap(({ name, label }, i) => {
    const [left, top] = [box.left + 215 * (i % box.columns), box.bottom + 52 + 20 * Math.floor(i / box.columns)];
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
.other { stroke: #b9cef3 }
.copy { stroke: #c23c12; stroke-dasharray: 2 3 } circle.copy { fill: #c23c12 }
</style>`;
  return svg.replace(/(<svg[^>]*>)/, `$1\n${style}`);
}
