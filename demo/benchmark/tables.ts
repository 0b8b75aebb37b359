import { type Figures, figuresOf } from "../../bench/figures.ts";
import { verdictOf } from "../../bench/markdown.ts";
import type { Row } from "../../bench/types.ts";
import { element } from "./elements.ts";

interface Line {
  readonly row: Row;
  readonly figures?: Figures;
}

const columns = ["", "answer", "a step", "", "ratio", "GB/s", "one step alone"];

/** One workload: whole steps sorted by time, then passes and limits in a closed fold. */
export function workloadSection(rows: readonly Row[]): HTMLElement {
  const lines = rows.map((row): Line => ({ row, figures: figuresOf(row, rows) }));
  const isWhole = ({ row }: Line) => row.work === "clip" && !row.contestant.endsWith("pass");
  const whole = lines.filter(isWhole);
  const parts = lines.filter((line) => !isWhole(line));
  return element(
    "section",
    {},
    element("h2", {}, rows[0]?.workload ?? ""),
    tableOf(whole.length > 0 ? whole : lines),
    ...(whole.length > 0 && parts.length > 0
      ? [element("details", {}, element("summary", {}, "Single passes, and the limits"), tableOf(parts))]
      : []),
  );
}

function tableOf(lines: readonly Line[]): HTMLElement {
  const time = ({ figures }: Line) => figures?.step.median ?? Infinity;
  const sorted = [...lines].sort((a, b) => time(a) - time(b));
  const slowest = Math.max(...sorted.map(time).filter(Number.isFinite));
  const head = columns.map((name, i) => element("th", { scope: "col", class: isNumber(i) ? "number" : "" }, name));
  return element(
    "div",
    { class: "scroll" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...sorted.map((line) => rowElement(line, slowest))),
    ),
  );
}

function isNumber(column: number): boolean {
  return column === 2 || column > 3;
}

function rowElement({ row, figures }: Line, slowest: number): HTMLElement {
  const isOurs = row.contestant.startsWith("gradclip");
  const name = element("th", { scope: "row" }, row.contestant);
  const answer = element("td", { class: row.verdict === "right" ? "" : "bad" }, verdictOf(row));
  const number = (text: string) => element("td", { class: "number" }, text);
  const bar = element("td", { class: "bar" });
  if (figures) {
    const length = element("div", {});
    // As a property: the site's policy refuses style attributes.
    length.style.width = `${(100 * figures.step.median) / slowest}%`;
    bar.append(length);
  }
  return element(
    "tr",
    { class: isOurs ? "ours" : "" },
    name,
    answer,
    number(figures ? milliseconds(figures.step.median) : "–"),
    bar,
    number(figures?.ratio ? `${figures.ratio.median.toPrecision(3)} ×` : ""),
    number(figures ? figures.gigabytesPerSecond.toPrecision(3) : ""),
    number(figures?.latency ? milliseconds(figures.latency.median) : ""),
  );
}

export function milliseconds(ms: number): string {
  return ms < 0.1 ? `${(ms * 1000).toPrecision(3)} µs` : `${ms.toPrecision(3)} ms`;
}
