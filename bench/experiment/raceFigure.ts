// The race at one step as an SVG of its own, for README: a row a lane, a tile a network.

import { countsAt, headlineStep, type LaneName, lanesAt, type Runner, raceSteps, runnerAt, runnersOf } from "./race.ts";
import type { Summary } from "./summary.ts";

const tile = { size: 34, gap: 6, radius: 6 };
const lane = { top: 58, height: 86, title: 16 };
const left = 6;

const style = `
text { font: 15px system-ui, sans-serif; fill: #5c6270 }
.head { font-weight: 600; font-size: 17px; fill: #1d2129 }
.empty { fill: #e4e1da } text.norm, .norm .fill { fill: #1f63d6 } text.none, .none .fill, .crack { fill: #c23c12 }
.running .fill { opacity: .5 } .tick { fill: none; stroke: #fff; stroke-width: 3.5 } text.norm, text.none { font-weight: 600 }
@media (prefers-color-scheme: dark) {
text { fill: #a5abb8 } .head { fill: #e8e6e1 } .empty { fill: #31363f } text.norm, .norm .fill { fill: #74a7ff }
text.none, .none .fill, .crack { fill: #ff8a5c } .tick { stroke: #16181d }
}`;

/** The three lanes at the step of the headline. */
export function drawRace(summary: Summary): string {
  const plans = lanesAt(summary, summary.findings.norm.bestRate);
  const titles = {
    none: "Not clipped, rate",
    best: "Not clipped at its best rate,",
    norm: "Clipped to a norm of 1, rate",
  };
  const rows = (Object.keys(titles) as (keyof typeof titles)[]).map((name, index) => {
    const runners = runnersOf(summary, plans[name]);
    const { arrived, exploded } = countsAt(runners, headlineStep);
    const counts = `${arrived} of ${runners.length} read 70 %, ${exploded} exploded`;
    return laneOf(name, index, `${titles[name]} ${plans[name].learningRate}`, counts, runners);
  });
  const seeds = summary.configuration.seeds.length;
  const width = 2 * left + seeds * (tile.size + tile.gap) - tile.gap;
  const head = `Step ${headlineStep} of ${raceSteps.toLocaleString("en-US")}: ${seeds} networks a row, each from its own start`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${lane.top + rows.length * lane.height}" role="img" aria-label="The race: how many networks read 70 % of the digits and how many exploded, by how they are clipped"><style>${style}</style>
<text class="head" x="${left}" y="26">${head}</text>
${rows.join("\n")}
</svg>
`;
}

function laneOf(name: LaneName, index: number, title: string, counts: string, runners: readonly Runner[]): string {
  const color = name === "norm" ? "norm" : "none";
  const y = lane.top + index * lane.height;
  const end = left + runners.length * (tile.size + tile.gap) - tile.gap;
  const tiles = runners.map((runner, place) => tileOf(runner, left + place * (tile.size + tile.gap), y + lane.title));
  return `<g class="${color}"><text class="${color}" x="${left}" y="${y + 4}">${title}</text><text x="${end}" y="${y + 4}" text-anchor="end">${counts}</text>
${tiles.join("\n")}</g>`;
}

/** Filled up to the share of digits that the network reads, with a tick where that is enough; in two pieces where it exploded. */
function tileOf(runner: Runner, x: number, y: number): string {
  const { hasExploded, hasArrived, accuracy } = runnerAt(runner, headlineStep);
  const { size, radius } = tile;
  if (hasExploded) {
    return `<path class="crack" d="M${x} ${y + 4}l18 -2l-7 11l6 8l-9 7l4 8l-12 -2zM${x + 23} ${y}l11 3v29l-15 2l-4 -7l9 -7l-6 -8z"/>`;
  }
  const height = Math.round(size * accuracy);
  const clip = `<rect class="empty" x="${x}" y="${y}" width="${size}" height="${size}" rx="${radius}"/>`;
  const fill = `<rect class="fill" x="${x}" y="${y + size - height}" width="${size}" height="${height}" rx="${Math.min(radius, height / 2)}"/>`;
  const tick = `<path class="tick" d="M${x + 9} ${y + 18}l6 7l11 -14"/>`;
  return `<g class="${hasArrived ? "arrived" : "running"}">${clip}${fill}${hasArrived ? tick : ""}</g>`;
}
