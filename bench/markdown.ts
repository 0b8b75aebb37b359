import type { Results } from "./benchmark.ts";
import { ratioOf, type Spread, spreadOf } from "./statistics.ts";
import type { Row } from "./types.ts";

/** A row's figures, derived from its samples. */
export interface Figures {
  /** Milliseconds of a step, many of them in a submit. */
  readonly step?: Spread;
  readonly timer?: "timestamps" | "clock";
  readonly gigabytesPerSecond?: number;
  /** How many times as long as what it is compared with, pair by pair. */
  readonly ratio?: Spread;
  /** Milliseconds of a step alone, waited for. */
  readonly latency?: Spread;
}

/** Timestamps count where both of a pair have them, as most of the peers have a clock only. */
export function figuresOf(row: Row, rows: readonly Row[]): Figures {
  const { throughput, latency, bytes } = row;
  if (!throughput) return {};
  const other = rows.find(({ contestant, workload }) => contestant === row.against && workload === row.workload);
  const hasTimestamps = hasGpu(row) && (!row.against || (other !== undefined && hasGpu(other)));
  const timesOf = ({ throughput }: Row) => (hasTimestamps && throughput?.gpu ? throughput.gpu : throughput?.clock);
  const step = spreadOf(timesOf(row) ?? []);
  return {
    step,
    timer: hasTimestamps ? "timestamps" : "clock",
    gigabytesPerSecond: bytes / step.median / 1e6,
    ratio: other?.throughput && ratioOf(timesOf(row) ?? [], timesOf(other) ?? []),
    latency: latency && spreadOf(latency.clock),
  };
}

function hasGpu({ throughput }: Row): boolean {
  return throughput?.gpu?.every((ms) => ms > 0) ?? false;
}

/** A table of one workload. */
export function rowsAsMarkdown(rows: readonly Row[]): string {
  const body = rows.map((row) => {
    const { step, timer, gigabytesPerSecond = 0, ratio, latency } = figuresOf(row, rows);
    const configuration = [row.configuration?.workgroups, row.configuration?.lanes].filter(Boolean).join(" x ");
    return [
      row.contestant,
      row.verdict === "right" ? error(row) : `${row.verdict}: ${row.reason}`,
      step ? `${spread(step)} ms${timer === "timestamps" ? " (timestamps)" : ""}` : "",
      step ? gigabytesPerSecond.toPrecision(3) : "",
      ratio ? `${spread(ratio)} of ${row.against}` : "",
      latency ? `${spread(latency)} ms` : "",
      configuration,
    ];
  });
  const head = ["contestant", "answer", "a step", "GB/s", "ratio", "one step alone", "workgroups x lanes"];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [`**${rows[0]?.workload}**`, "", line(head), line(head.map(() => "---")), ...body.map(line)].join("\n");
}

export function resultsAsMarkdown(results: Results): string {
  const { environment, rows } = results;
  const { engine, adapter, quantumNs, clockQuantumNs } = environment;
  const workloads = [...new Set(rows.map(({ workload }) => workload))];
  const timer = quantumNs ? `timestamps in steps of ${quantumNs} ns` : "no timestamps";
  return [
    `gradclip benchmark: ${adapter}, ${engine}; ${timer}, clock in steps of ${clockQuantumNs} ns`,
    ...workloads.map((name) => rowsAsMarkdown(rows.filter(({ workload }) => workload === name))),
  ].join("\n\n");
}

function error({ error = 0 }: Row): string {
  return error === 0 ? "exact" : `right to ${error.toExponential(0)}`;
}

function spread({ median, low, high }: Spread): string {
  return `${median.toPrecision(3)} (${low.toPrecision(3)} to ${high.toPrecision(3)})`;
}
