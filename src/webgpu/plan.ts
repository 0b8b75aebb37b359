import { distinctWrites } from "../overlaps.ts";
import { type Grouping, type GroupRun, groupRunsOf, parametersOf, piecesOf } from "../pieces.ts";
import type { Tensor } from "../view.ts";
import { ALIGNMENT } from "./device.ts";
import type { GridRow } from "./grid.ts";
import type { Format, Target } from "./kernels.ts";
import { apartByWord, MOST_SEGMENTS, type NumberedPiece, type Segment, segmentsOf, wordOf } from "./segments.ts";
import { batched, conflictsIn, type Slot, sharesBuffer, slotsOf } from "./slots.ts";
import { type Placed, tableOf, tilesOf } from "./table.ts";
import { mostTiles } from "./trips.ts";
import { MOST_SHAPES, type Shape, shapesFor, shapeTableOf } from "./unitShapes.ts";

/** Which kernel a dispatch runs. */
export type Pass = "norm" | "unit norm" | "clamp" | "scale" | "sum examples";

export interface Dispatch {
  readonly pass: Pass;
  readonly format: Format;
  readonly target: Target;
  readonly slots: readonly Slot[];
  readonly workgroups: number;
  readonly table: Uint32Array;
  /** How the segments fall into units, for a method that works along axes. */
  readonly shapes?: Uint32Array;
}

/** What a clip records for one set of buffers. */
export interface Plan {
  /** Norm, unit norm or clamp: what comes before finish. */
  readonly norm: readonly Dispatch[];
  /** Scale or sum examples: what comes after. */
  readonly scale: readonly Dispatch[];
  /** Those of the gradients, then those of their parameters. */
  readonly partialCount: number;
  readonly parameterPartialCount: number;
  /** Empty where all gradients share one norm. */
  readonly bundles: readonly GroupRun[];
  readonly ranges: readonly PartialRange[];
  readonly parameterRanges: readonly PartialRange[];
}

/** The partials of the groups of a bundle: `each` for the first of them, as many for the next, and so on. */
export interface PartialRange {
  readonly group: number;
  readonly first: number;
  each: number;
}

export interface PlanLimits {
  readonly slots: number;
  readonly pairSlots: number;
  /** Bytes of a binding. */
  readonly maxBinding: number;
  /** Of a dispatch; MOST_SEGMENTS if it is not said. */
  readonly mostSegments?: number;
  readonly grid: GridRow;
}

/** What is to be planned, besides where the gradients lie. */
export interface Task {
  readonly grouping: Grouping;
  /** Whether the gradients are written. */
  readonly writes: boolean;
  /** Whether norms of their parameters are wanted too. */
  readonly parameters: boolean;
  /** NormKind's fixedPower. */
  readonly power: number;
}

/**
 * The longest piece of float32 whose window fits a binding wherever it begins. Pieces of 16-bit gradients have as many
 * elements, because the numbers of pieces must depend on the lengths alone.
 */
export function pieceBytesOf(maxBinding: number): number {
  return Math.floor(maxBinding / ALIGNMENT) * ALIGNMENT - ALIGNMENT;
}

/** The pieces of some tensors, each with its number. */
export function numberedPieces(tensors: readonly Tensor[], grouping: Grouping, limits: PlanLimits): NumberedPiece[] {
  return piecesOf(tensors, grouping, pieceBytesOf(limits.maxBinding) / 4).map((piece, number) => ({
    ...piece,
    piece: number,
  }));
}

export function planFor(tensors: readonly Tensor[], given: PlanLimits, task: Task): Plan {
  const { grouping, writes, power } = task;
  const limits = grouping.kind === "units" ? { ...given, mostSegments: MOST_SHAPES } : given;
  const pieceBytes = pieceBytesOf(limits.maxBinding);
  const pieces = numberedPieces(tensors, grouping, limits);
  const gradients = planNorm(pieces, limits, task, 0);
  const owned = task.parameters ? parametersOf(tensors) : [];
  const parameters = planNorm(numberedPieces(owned, grouping, limits), limits, task, gradients.end);
  const written = new Set(writes ? distinctWrites(tensors) : []);
  const toScale = (into: boolean) => {
    const chosen = pieces.filter(({ tensor }) => written.has(tensor) && !!tensor.into === into);
    return draftsOf("scale", segmentsOf(chosen, pieceBytes, true), into ? "into" : "in-place", limits);
  };
  return {
    norm: [...gradients.dispatches, ...parameters.dispatches],
    scale: [...toScale(true), ...toScale(false)].map((draft) => dispatchOf(draft, grouping, power, 0, true)),
    partialCount: gradients.end,
    parameterPartialCount: grouping.kind === "all" ? 0 : parameters.end - gradients.end,
    bundles: groupRunsOf(tensors, grouping),
    ranges: gradients.ranges,
    parameterRanges: parameters.ranges,
  };
}

interface NormPlan {
  readonly dispatches: Dispatch[];
  readonly ranges: PartialRange[];
  /** One after the last partial. */
  readonly end: number;
}

function planNorm(pieces: readonly NumberedPiece[], limits: PlanLimits, task: Task, start: number): NormPlan {
  const { grouping, power } = task;
  const segments = segmentsOf(pieces, pieceBytesOf(limits.maxBinding), false);
  const plain = draftsOf("norm", withoutUnits(segments), "in-place", limits, grouping.kind !== "all");
  if (grouping.kind === "all") return { ...sharedPartials(plain, grouping, power), ranges: [] };
  let end = start;
  const ranges: PartialRange[] = [];
  const dispatches = plain.map((draft) => {
    const dispatch = dispatchOf(draft, grouping, power, end, true);
    ranges.push(...rangesOf(draft, end, limits.grid.lanes));
    end += draft.workgroups;
    return dispatch;
  });
  const shapes = shapesFor(segments, end);
  for (const draft of draftsOf("unit norm", [...shapes.keys()], "in-place", limits, false, shapes)) {
    dispatches.push(dispatchOf(draft, grouping, power, 0, true, shapes));
  }
  for (const [{ group }, { firstPartial, chunks, units }] of shapes) {
    ranges.push({ group, first: firstPartial, each: chunks });
    end = firstPartial + chunks * units.count;
  }
  return { dispatches, ranges, end };
}

/** The largest grid first: its partials are set, and those of the others are added to them. */
function sharedPartials(drafts: Draft[], grouping: Grouping, power: number) {
  drafts.sort((a, b) => b.workgroups - a.workgroups);
  const dispatches = drafts.map((draft, i) => dispatchOf(draft, grouping, power, 0, i === 0));
  return { dispatches, end: drafts[0]?.workgroups ?? 0 };
}

function withoutUnits(segments: readonly Segment[]): Segment[] {
  return segments.filter(({ units }) => units === undefined);
}

function dispatchOf(
  draft: Draft,
  grouping: Grouping,
  power: number,
  firstPartial: number,
  fresh: boolean,
  shapes?: ReadonlyMap<Segment, Shape>,
): Dispatch {
  const { placed, tilesPerWorkgroup, ...rest } = draft;
  const table = tableOf({ ...draft, power, firstPartial, fresh });
  if (grouping.kind !== "units" || draft.pass === "norm") return { ...rest, table };
  return { ...rest, table, shapes: shapeTableOf(placed, shapes) };
}

const FORMATS = (["f32", "f16", "bf16"] as const).flatMap((dtype) =>
  (["vec4", "u32"] as const).map((word): Format => ({ dtype, word })),
);

/** A dispatch before it is known where its partials go. */
export type Draft = Omit<Dispatch, "table" | "shapes"> & {
  readonly placed: readonly Placed[];
  readonly tilesPerWorkgroup: number;
};

const WRITES: Record<Pass, boolean> = {
  norm: false,
  "unit norm": false,
  clamp: true,
  scale: true,
  "sum examples": true,
};

export function draftsOf(
  pass: Pass,
  segments: readonly Segment[],
  target: "in-place" | "into",
  limits: PlanLimits,
  grouped = false,
  shapes?: ReadonlyMap<Segment, Shape>,
): Draft[] {
  const capacity = target === "into" ? limits.pairSlots : limits.slots;
  const { mostSegments = MOST_SEGMENTS } = limits;
  const grid = {
    ...limits.grid,
    workgroups: WRITES[pass] && pass !== "clamp" ? limits.grid.scaleWorkgroups : limits.grid.normWorkgroups,
  };
  // Along axes the elements are read one by one.
  const wordFor = (segment: Segment) => (shapes ? "u32" : wordOf(segment));
  return FORMATS.flatMap((format) => {
    const alike = segments.filter((segment) => segment.dtype === format.dtype && wordFor(segment) === format.word);
    return (WRITES[pass] ? apartByWord(alike) : [alike]).flatMap((together) => {
      const slots = slotsOf(together, limits.maxBinding, mostSegments);
      return batched(slots, capacity, mostSegments, WRITES[pass] ? conflictsIn(slots) : () => false).map((batch) => ({
        pass,
        format,
        target: target === "into" && sharesBuffer(batch) ? ("shared" as const) : target,
        slots: batch,
        ...spread(pass, batch, format, grid, grouped, shapes),
      }));
    });
  });
}

/** The tiles of a dispatch, over at most so many workgroups unless they need more; grouped, none works for two groups. */
function spread(
  pass: Pass,
  slots: readonly Slot[],
  format: Format,
  { lanes, minTiles: least, workgroups: most }: GridRow & { readonly workgroups: number },
  grouped: boolean,
  shapes: ReadonlyMap<Segment, Shape> | undefined,
) {
  const tilesIn = (segment: Segment) => shapes?.get(segment)?.jobs ?? tilesOf(segment, format.word, lanes);
  const segments = slots.flatMap((slot, number) => slot.segments.map((segment) => ({ segment, slot: number })));
  // Stable: the kernels go through the bindings in turn, so that in a workgroup those of one binding must stand together.
  if (grouped) segments.sort((a, b) => a.segment.group - b.segment.group);
  const tiles = segments.reduce((sum, { segment }) => sum + tilesIn(segment), 0);
  const wanted = Math.ceil(tiles / Math.min(Math.ceil(tiles / least), most));
  const tilesPerWorkgroup = Math.min(wanted, mostTiles(pass, format, segments, shapes));
  let tile = 0;
  let group = segments[0]?.segment.group;
  const placed = segments.map(({ segment, slot }) => {
    if (grouped && segment.group !== group) tile = Math.ceil(tile / tilesPerWorkgroup) * tilesPerWorkgroup;
    group = segment.group;
    const at = { segment, slot, tile };
    tile += tilesIn(segment);
    return at;
  });
  return { placed, tilesPerWorkgroup, workgroups: Math.ceil(tile / tilesPerWorkgroup) };
}

/** Which partials belong to which group; a group's segments stand together, and its workgroups too. */
function rangesOf({ placed, tilesPerWorkgroup, format }: Draft, firstPartial: number, lanes: number): PartialRange[] {
  const ranges: PartialRange[] = [];
  for (const { segment, tile } of placed) {
    const first = firstPartial + Math.floor(tile / tilesPerWorkgroup);
    const end = firstPartial + Math.ceil((tile + tilesOf(segment, format.word, lanes)) / tilesPerWorkgroup);
    const last = ranges.at(-1);
    if (last?.group === segment.group) last.each = end - last.first;
    else ranges.push({ group: segment.group, first, each: end - first });
  }
  return ranges;
}
