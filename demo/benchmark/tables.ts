import { type Figures, figuresOf } from "../../bench/figures.ts";
import { CLIP } from "../../bench/names.ts";
import type { Row } from "../../bench/types.ts";
import { durationText } from "../shared/duration.ts";
import { element } from "./elements.ts";
import { answerText, contestantLabel, workloadLabel } from "./words.ts";

interface Line {
  readonly row: Row;
  readonly figures?: Figures;
}

const columns = ["", "answer", "a step", "", "compared", "GB/s", "one step alone"];

/** One workload: whole steps sorted by time, then passes and limits in a closed fold. */
export function workloadSection(rows: readonly Row[]): HTMLElement {
  const lines = rows.map((row): Line => ({ row, figures: figuresOf(row, rows) }));
  const isWhole = ({ row }: Line) => row.work === "clip" && !row.contestant.endsWith("pass");
  const whole = lines.filter(isWhole);
  const parts = lines.filter((line) => !isWhole(line));
  const name = rows[0]?.workload ?? "";
  return element(
    "section",
    { "data-workload": name },
    element("h2", {}, workloadLabel(name)),
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

/** On a phone the columns' names are gone: what needs one has its unit in the cell. */
function rowElement({ row, figures }: Line, slowest: number): HTMLElement {
  const isOurs = row.contestant.startsWith("gradclip");
  const name = element("th", { scope: "row" }, contestantLabel(row.contestant));
  const first = row.isPreliminary ? " · first batches" : "";
  const answer = element("td", { class: row.verdict === "right" ? "answer" : "answer bad" }, answerText(row) + first);
  const number = (kind: string, text: string) => element("td", { class: `number ${kind}` }, text);
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
    number("time", figures ? durationText(figures.step.median) : "–"),
    bar,
    number("ratio", figures?.ratio ? comparedText(row, figures.ratio.median) : ""),
    number("speed", figures ? figures.gigabytesPerSecond.toPrecision(3) : ""),
    number("alone", figures?.latency ? durationText(figures.latency.median) : ""),
  );
}

function comparedText({ against = "" }: Row, ratio: number): string {
  const than = against === CLIP ? "gradclip" : contestantLabel(against);
  return `${Number(ratio.toPrecision(ratio < 10 ? 2 : 3))} × ${than}`;
}
