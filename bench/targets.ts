import type { Measured, Results } from "./benchmark.ts";
import { stepsOfPair } from "./figures.ts";
import {
  CLIP,
  CPU_CLIP,
  CPU_NORM,
  JAX,
  JAX_JIT,
  NORM_PASS,
  PER_TENSOR,
  READ,
  READ_AND_WRITE,
  SCALE_PASS,
  SNRM2_NORM,
  TFJS,
  UNCLIPPED,
} from "./names.ts";
import { ratioOf, type Spread, spreadOf } from "./statistics.ts";

/** A target, and the measured value. */
export interface Target {
  readonly name: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly measured: Spread;
  /** The value is counted and exact on every device. */
  readonly isCounted?: true;
}

export function isMet({ atLeast = -Infinity, atMost = Infinity, measured }: Target): boolean {
  return measured.median >= atLeast && measured.median <= atMost;
}

/** The targets that one run measured. */
export function targetsOf(results: Results): Target[] {
  const { rows } = results;
  const workloads = new Map(results.workloads.map((workload) => [workload.name, workload]));
  const rowOf = (workload: string, contestant: string) =>
    rows.find((row) => row.workload === workload && row.contestant === contestant);
  /** The time of a contestant in multiples of `other`'s. */
  const ratio = (workload: string, contestant: string, other: string): Spread | undefined => {
    const [row, otherRow] = [rowOf(workload, contestant), rowOf(workload, other)];
    const pair = row && otherRow && stepsOfPair(row, otherRow);
    return pair && ratioOf(...pair);
  };
  /** The time per element or tensor of a workload, compared with another workload. */
  const growth = (large: Measured | undefined, small: Measured | undefined, unit: "elements" | "tensors") => {
    const [row, other] = [rowOf(large?.name ?? "", CLIP), rowOf(small?.name ?? "", CLIP)];
    const pair = row && other && stepsOfPair(row, other);
    if (!pair || !large || !small) return undefined;
    const [each, otherEach] = [pair[0].map((ms) => ms / large[unit]), pair[1].map((ms) => ms / small[unit])];
    return ratioOf(each, otherEach);
  };
  const targets: (Omit<Target, "measured"> & { measured?: Spread })[] = [];
  const large = "one of 16 Mi, f32";
  targets.push(
    ...[
      { name: large, norm: 0.85, scale: 0.95 },
      { name: "one of 16 Mi, f16", norm: 0.8, scale: 0.8 },
    ].flatMap(({ name, norm, scale }) => [
      { name: `norm pass: of the speed of reading, ${name}`, atLeast: norm, measured: ratio(name, READ, NORM_PASS) },
      {
        name: `scale pass: of the speed of reading and writing, ${name}`,
        atLeast: scale,
        measured: ratio(name, READ_AND_WRITE, SCALE_PASS),
      },
    ]),
    {
      name: `under the bound: of the time of clipping, ${large}`,
      atMost: 0.6,
      measured: ratio(large, UNCLIPPED, CLIP),
    },
  );
  const thousand = "1,000 tensors of 1,000";
  for (const { name, dtype, isArena } of workloads.values()) {
    if (dtype !== "f32" || (isArena && name !== large)) continue;
    const times = (contestant: string) => ({
      name: `${contestant}: times as long, ${name}`,
      measured: ratio(name, contestant, CLIP),
    });
    targets.push(
      { ...times(PER_TENSOR), atLeast: name === thousand ? 7 : 1.2 },
      { ...times(TFJS), atLeast: 6 },
      { ...times(JAX), atLeast: 3 },
      { ...times(JAX_JIT), atLeast: name === large ? 3.2 : 4 },
    );
  }
  const hundred = "100 tensors of 1,000";
  const arena = (size: string) => workloads.get(`one of ${size}, f32`);
  targets.push(
    {
      name: "time for each tensor, 1,000 of them beside 100",
      atMost: 1.15,
      measured: growth(workloads.get(thousand), workloads.get(hundred), "tensors"),
    },
    ...["4 Mi", "16 Mi", "64 Mi"].map((size) => ({
      name: `time for each element, ${size} beside 1 Mi`,
      atMost: 1.15,
      measured: growth(arena(size), arena("1 Mi"), "elements"),
    })),
    ...results.hostCosts.map(({ workload, encode, bare }) => ({
      name: `encode: times the bare calls, ${workload}`,
      atMost: 1.3,
      measured: ratioOf(encode, bare),
    })),
    ...results.workloads.flatMap(countedTargets),
    ...cpuTargets(results),
  );
  return targets.flatMap(({ measured, ...target }) => (measured ? [{ ...target, measured }] : []));
}

function countedTargets({ name, dtype, elements, counts, mostDispatches }: Measured): Target[] {
  if (!counts) return [];
  const { normReads, scaleReads, dispatches } = counts;
  const size = dtype === "f32" ? 4 : 2;
  const exactly = (value: number) => ({ isCounted: true, measured: spreadOf([value]) }) as const;
  return [
    { name: `bytes an element under the bound, ${name}`, atMost: size, ...exactly(normReads / elements) },
    {
      name: `bytes an element when clipped, ${name}`,
      atMost: 3 * size,
      ...exactly((normReads + 2 * scaleReads) / elements),
    },
    { name: `dispatches, ${name}`, atMost: mostDispatches, ...exactly(dispatches) },
  ];
}

function cpuTargets({ rows, workloads }: Results): Target[] {
  return workloads.flatMap((workload): Target[] => {
    const of = (contestant: string) =>
      rows.find((row) => row.workload === workload.name && row.contestant === contestant)?.throughput?.clock;
    const norm = of(CPU_NORM);
    if (!norm || !workload.isArena) return [];
    const others = rows.filter(({ workload: name, against }) => name === workload.name && against !== undefined);
    return [
      {
        name: `Gelem/s of the norm, ${workload.name}`,
        atLeast: 1,
        measured: spreadOf(norm.map((ms) => workload.elements / ms / 1e6)),
      },
      ...others.flatMap(({ contestant, against, throughput }): Target[] => {
        const ours = of(against === CPU_CLIP ? CPU_CLIP : CPU_NORM);
        if (!throughput || !ours) return [];
        const atLeast = contestant === SNRM2_NORM ? 3 : 1;
        return [
          {
            name: `${contestant}: times as long, ${workload.name}`,
            atLeast,
            measured: ratioOf(throughput.clock, ours),
          },
        ];
      }),
    ];
  });
}
