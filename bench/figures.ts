import { ratioOf, type Spread, spreadOf } from "./statistics.ts";
import type { Row } from "./types.ts";

/** A row's figures, derived from its samples. */
export interface Figures {
  /** Milliseconds of a step among many in a submit. */
  readonly step: Spread;
  readonly timer: "timestamps" | "clock";
  readonly gigabytesPerSecond: number;
  /** The time in multiples of the compared contestant's, pair by pair. */
  readonly ratio?: Spread;
  /** Milliseconds of one step alone, with the wait for it. */
  readonly latency?: Spread;
}

export function figuresOf(row: Row, rows: readonly Row[]): Figures | undefined {
  const { throughput, latency, bytes } = row;
  if (!throughput) return undefined;
  const other = rows.find(({ contestant, workload }) => contestant === row.against && workload === row.workload);
  const pair = other && stepsOfPair(row, other);
  const gpu = timestampsOf(row);
  const step = spreadOf(gpu ?? throughput.clock);
  return {
    step,
    timer: gpu ? "timestamps" : "clock",
    gigabytesPerSecond: bytes / step.median / 1e6,
    ratio: pair && ratioOf(...pair),
    latency: latency && spreadOf(latency.clock),
  };
}

/** Timestamps if both have them. Most peers have only the clock, which includes the host's work. */
export function stepsOfPair(row: Row, other: Row): [readonly number[], readonly number[]] | undefined {
  if (!row.throughput || !other.throughput) return undefined;
  const [gpu, otherGpu] = [timestampsOf(row), timestampsOf(other)];
  return gpu && otherGpu ? [gpu, otherGpu] : [row.throughput.clock, other.throughput.clock];
}

/** Undefined if a step is shorter than the timestamps can measure. */
function timestampsOf({ throughput }: Row): readonly number[] | undefined {
  return throughput?.gpu?.every((ms) => ms > 0) ? throughput.gpu : undefined;
}
