/** Methods that remember each norm, in float64 and by their definitions: what becomes of each gradient at each step. */
import { zBounds } from "./adaptiveSteps.ts";
import { range } from "./build.ts";
import type { Track } from "./series.ts";

export interface Verdict {
  /** Of the gradient after the step; undefined for one that is absent. */
  readonly wanted: number | undefined;
  /** Of its norm; undefined where the norm is not judged by one: absent, not finite, skipped. */
  readonly bound: number | undefined;
  readonly norm: number;
}

export interface AdaSettings {
  readonly relative: number;
  readonly decay: number;
  readonly warmup: number;
  readonly maxNorm: number;
}

/** Steps that a skip rule leaves out. */
export type Skips = (norm: number, step: number) => boolean;

const left = (norm: number): Verdict => ({ wanted: 0, bound: undefined, norm });
const absent: Verdict = { wanted: undefined, bound: undefined, norm: Number.NaN };

export function adaVerdicts(
  tracks: readonly Track[],
  { relative, decay, warmup, maxNorm }: AdaSettings,
  isSkipped: Skips = () => false,
): Verdict[][] {
  const averages: (number | undefined)[] = tracks.map(() => undefined);
  let warmed = 0;
  const one = (norm: number, i: number): Verdict => {
    const average = averages[i];
    if (!Number.isFinite(norm)) return left(norm);
    if (norm === 0) return { wanted: 0, bound: Infinity, norm };
    const bound = average === undefined ? Infinity : relative * average;
    const clipped = Math.min(norm, bound);
    averages[i] = average === undefined ? norm : decay * average + (1 - decay) * clipped;
    return { wanted: clipped, bound, norm };
  };
  return stepsOf(tracks).map((norms, step) => {
    const there = norms.filter((norm) => norm !== undefined);
    const joint = Math.hypot(...there);
    if (Number.isFinite(joint) && isSkipped(joint, step))
      return norms.map((norm) => (norm === undefined ? absent : left(norm)));
    if (there.length === 0) return norms.map(() => absent);
    if (warmed >= warmup) return norms.map((norm, i) => (norm === undefined ? absent : one(norm, i)));
    if (!there.every(Number.isFinite)) return norms.map((norm) => (norm === undefined ? absent : left(norm)));
    warmed += 1;
    const scale = joint > maxNorm ? maxNorm / joint : 1;
    return norms.map((norm, i) => {
      if (norm === undefined) return absent;
      const clipped = norm * scale;
      if (clipped > 0) averages[i] = Math.min(averages[i] ?? Infinity, clipped);
      return { wanted: clipped, bound: joint > maxNorm && norm > 0 ? clipped : Infinity, norm };
    });
  });
}

/** zClip of each group's joint norm: `groupOf` tells a track's group. */
export function zVerdicts(
  tracks: readonly Track[],
  { zThreshold, decay, warmup }: { zThreshold: number; decay: number; warmup: number },
  groupOf: (track: number) => number = (track) => track,
  isSkipped: Skips = () => false,
): Verdict[][] {
  const steps = stepsOf(tracks);
  const groups = [...new Set(range(tracks.length).map(groupOf))];
  const skipped = steps.map((norms, step) => {
    const joint = Math.hypot(...norms.filter((norm) => norm !== undefined));
    return Number.isFinite(joint) && isSkipped(joint, step);
  });
  const verdicts: Verdict[][] = steps.map(() => []);
  for (const group of groups) {
    const members = range(tracks.length).filter((track) => groupOf(track) === group);
    const joints = steps.map((norms) => Math.hypot(...members.flatMap((track) => norms[track] ?? [])));
    const counts = joints.map((norm, step) => !skipped[step] && Number.isFinite(norm) && norm > 0);
    const bounds = zBounds(
      joints.filter((_, step) => counts[step]),
      zThreshold,
      decay,
      warmup,
    );
    steps.forEach((norms, step) => {
      const norm = joints[step] as number;
      const bound = counts[step] ? bounds.shift() : Infinity;
      for (const track of members) {
        const own = norms[track];
        const isLeft = skipped[step] || !Number.isFinite(norm);
        const scale = norm > (bound as number) ? (bound as number) / norm : 1;
        const verdict = own === undefined ? absent : isLeft ? left(own) : { wanted: own * scale, bound, norm };
        (verdicts[step] as Verdict[])[track] = verdict as Verdict;
      }
    });
  }
  return verdicts;
}

function stepsOf(tracks: readonly Track[]): (number | undefined)[][] {
  return range(tracks[0]?.norms.length ?? 0).map((step) =>
    tracks.map(({ norms, isAbsent }) => (isAbsent?.(step) ? undefined : (norms[step] as number))),
  );
}
