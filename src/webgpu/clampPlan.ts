import type { Clamp } from "../methods/method.ts";
import { distinctWrites } from "../overlaps.ts";
import type { Tensor } from "../view.ts";
import { draftsOf, numberedPieces, type Plan, type PlanLimits, pieceBytesOf } from "./plan.ts";
import { type NumberedPiece, segmentsOf } from "./segments.ts";
import { floatBits } from "./struct.ts";
import { tableOf } from "./table.ts";

/** One pass that reads, writes and reports; what goes elsewhere first, as in place overwrites what that reads. */
export function planClamp(
  tensors: readonly Tensor[],
  limits: PlanLimits,
  { limits: valueLimits }: Clamp,
  gradScaleIndex: number,
): Plan {
  const written = new Set(distinctWrites(tensors));
  const pieces = numberedPieces(tensors, { kind: "all" }, limits).filter(({ tensor }) => written.has(tensor));
  const drafts = [true, false].flatMap((into) => {
    const chosen = pieces.filter(({ tensor }) => !!tensor.into === into);
    const segments = neighbours(chosen).flatMap((run) => segmentsOf(run, pieceBytesOf(limits.maxBinding), true));
    return draftsOf("clamp", segments, into ? "into" : "in-place", limits);
  });
  // The first sets the partials of all, with workgroups to spare where another has more.
  const partialCount = drafts.reduce((most, { workgroups }) => Math.max(most, workgroups), 0);
  const norm = drafts.map((draft, i) => {
    const [low, high] = valueLimits(draft.format.dtype);
    const clamp = { low: floatBits(low), high: floatBits(high), gradScaleIndex };
    const { placed: _, tilesPerWorkgroup: __, ...dispatch } = draft;
    const table = tableOf({ ...draft, power: 0, firstPartial: 0, fresh: i === 0, clamp });
    return { ...dispatch, workgroups: i === 0 ? partialCount : draft.workgroups, table };
  });
  return { norm, scale: [], partialCount, parameterPartialCount: 0, bundles: [], ranges: [], parameterRanges: [] };
}

/** Runs of what stands next to each other in the list too: a record names an element by its distance from a run's start. */
function neighbours(pieces: readonly NumberedPiece[]): NumberedPiece[][] {
  const runs: NumberedPiece[][] = [];
  for (const piece of pieces) {
    const run = runs.at(-1);
    if (run?.at(-1)?.piece === piece.piece - 1) run?.push(piece);
    else runs.push([piece]);
  }
  return runs;
}
