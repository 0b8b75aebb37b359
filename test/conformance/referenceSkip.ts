/** Which steps a skip rule leaves out, in float64, from its definition. */

/** Within this of the limit, relative to the largest of it and the values, either answer is right. */
const TOLERANCE = 1e-5;

export type Verdict = boolean | "either";

export interface Spikes {
  readonly sigmas: number;
  readonly window: number;
  readonly warmup: number;
}

/** value > mean + sigmas * deviation of the last finite values before it. */
export function spikesAmong(
  values: Iterable<number>,
  { sigmas, window, warmup }: Spikes,
  tolerance = TOLERANCE,
): Verdict[] {
  const finite: number[] = [];
  return [...values].map((value) => {
    if (!Number.isFinite(value)) return false;
    const last = finite.slice(-window);
    finite.push(value);
    if (finite.length < warmup) return false;
    const mean = last.reduce((sum, other) => sum + other, 0) / last.length;
    const squares = last.reduce((sum, other) => sum + (other - mean) ** 2, 0);
    const limit = mean + sigmas * Math.sqrt(squares / (last.length - 1));
    if (last.every((other) => other === last[0])) return value > (last[0] as number);
    const size = Math.max(Math.abs(limit), ...last.map(Math.abs));
    return Math.abs(value - limit) < tolerance * size ? "either" : value > limit;
  });
}

export function either(a: Verdict, b: Verdict): Verdict {
  if (a === true || b === true) return true;
  return a === "either" || b === "either" ? "either" : false;
}
