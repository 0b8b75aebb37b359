import type { Results } from "./benchmark.ts";
import { figuresOf } from "./figures.ts";
import type { Spread } from "./statistics.ts";
import { isMet, targetsOf } from "./targets.ts";
import type { Row } from "./types.ts";

/** A table of one workload. */
export function rowsAsMarkdown(rows: readonly Row[]): string {
  const body = rows.map((row) => {
    const figures = figuresOf(row, rows);
    if (!figures) return [row.contestant, verdictOf(row), "", "", "", "", ""];
    const { step, timer, gigabytesPerSecond, ratio, latency } = figures;
    return [
      row.contestant,
      verdictOf(row),
      `${spreadText(step)} ms${timer === "timestamps" ? "" : " (clock)"}`,
      gigabytesPerSecond.toPrecision(3),
      ratio ? `${spreadText(ratio)} of ${row.against}` : "",
      latency ? `${spreadText(latency)} ms` : "",
      [row.configuration?.workgroups, row.configuration?.lanes].filter(Boolean).join(" x "),
    ];
  });
  const head = ["contestant", "answer", "a step", "GB/s", "ratio", "one step alone", "workgroups x lanes"];
  return [`**${rows[0]?.workload}**`, "", table(head, body)].join("\n");
}

export function resultsAsMarkdown(results: Results): string {
  const { environment, rows } = results;
  const { engine, adapter, quantumNs, clockQuantumNs } = environment;
  const workloads = [...new Set(rows.map(({ workload }) => workload))];
  const timer = quantumNs ? `timestamps in steps of ${quantumNs} ns` : "no timestamps";
  return [
    `gradclip benchmark: ${adapter}, ${engine}; ${timer}, clock in steps of ${clockQuantumNs} ns`,
    ...workloads.map((name) => rowsAsMarkdown(rows.filter(({ workload }) => workload === name))),
    targetsAsMarkdown(results),
  ].join("\n\n");
}

export function targetsAsMarkdown(results: Results, targets = targetsOf(results)): string {
  const body = targets.map((target) => [
    target.name,
    target.atLeast === undefined ? `at most ${target.atMost}` : `at least ${target.atLeast}`,
    spreadText(target.measured),
    isMet(target) ? "yes" : "no",
  ]);
  return ["**Targets**", "", table(["what", "wanted", "measured", "met"], body)].join("\n");
}

/** The error of an answer, or the reason for having none. */
export function verdictOf({ verdict, reason, error = 0 }: Row): string {
  if (verdict !== "right") return `${verdict}: ${reason}`;
  return error === 0 ? "exact" : `right to ${error.toExponential(0)}`;
}

/** Median and quartiles. */
export function spreadText({ median, low, high }: Spread): string {
  return `${median.toPrecision(3)} (${low.toPrecision(3)} to ${high.toPrecision(3)})`;
}

export function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
