import { ratioOf, type Spread, spreadOf } from "./statistics.ts";
import type { Row } from "./types.ts";

/** A row's figures, derived from its samples. */
export interface Figures {
  /** Milliseconds of a step, many of them in a submit. */
  readonly step: Spread;
  readonly timer: "timestamps" | "clock";
  readonly gigabytesPerSecond: number;
  /** How many times as long as what it is compared with, pair by pair. */
  readonly ratio?: Spread;
  /** Milliseconds of a step alone, waited for. */
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

/** By timestamps if both have them: most of the peers have a clock only, and that counts what the host does too. */
export function stepsOfPair(row: Row, other: Row): [readonly number[], readonly number[]] | undefined {
  if (!row.throughput || !other.throughput) return undefined;
  const [gpu, otherGpu] = [timestampsOf(row), timestampsOf(other)];
  return gpu && otherGpu ? [gpu, otherGpu] : [row.throughput.clock, other.throughput.clock];
}

/** None where a step is shorter than what the timestamps can tell. */
function timestampsOf({ throughput }: Row): readonly number[] | undefined {
  return throughput?.gpu?.every((ms) => ms > 0) ? throughput.gpu : undefined;
}
