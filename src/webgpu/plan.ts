import { cutsOf, type Grouping } from "../cuts.ts";
import { distinctWrites, idOf, type Range, type Tensor } from "../gradients.ts";
import { ALIGNMENT } from "./device.ts";
import type { Format, Target, Word } from "./kernels.ts";
import { apartByWord, type Segment, segmentsOf, wordOf } from "./segments.ts";
import { MOST_SEGMENTS, type Placed, tableOf, tilesOf } from "./table.ts";

/** Part of a buffer that is bound: it begins on 256 bytes. */
export interface Window {
  readonly memory: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** The segments of one binding, or of one pair of source and destination. */
export interface Slot {
  source: Window;
  into?: Window;
  readonly segments: Segment[];
}

export interface Dispatch {
  readonly format: Format;
  readonly target: Target;
  readonly slots: readonly Slot[];
  readonly workgroups: number;
  readonly table: Uint32Array;
}

/** Tiles of a workgroup, four rounds of a loop each: lavapipe stops any shader loop at 65,535. */
const MOST_ROUNDS = 16_383;

/** What a clip records for one set of buffers. */
export interface Plan {
  readonly norm: readonly Dispatch[];
  readonly scale: readonly Dispatch[];
  readonly partialCount: number;
  /** Empty where all gradients share one norm. */
  readonly ranges: readonly PartialRange[];
}

export interface PartialRange {
  readonly group: number;
  readonly first: number;
  end: number;
}

export interface PlanLimits {
  readonly slots: number;
  readonly pairSlots: number;
  /** Bytes of a binding. */
  readonly maxBinding: number;
  readonly grid: { readonly norm: number; readonly scale: number };
}

/**
 * The longest piece of float32 whose window fits a binding wherever it begins. Pieces of 16-bit gradients have as many
 * elements, because the ranks must depend on the lengths alone.
 */
export function pieceBytesOf(maxBinding: number): number {
  return Math.floor(maxBinding / ALIGNMENT) * ALIGNMENT - ALIGNMENT;
}

/** What is to be planned, besides where the gradients lie. */
export interface Task {
  readonly grouping: Grouping;
  /** Whether the gradients are written. */
  readonly writes: boolean;
  /** NormKind's fixedPower. */
  readonly power: number;
}

export function planFor(tensors: readonly Tensor[], limits: PlanLimits, { grouping, writes, power }: Task): Plan {
  const pieceBytes = pieceBytesOf(limits.maxBinding);
  const cuts = cutsOf(tensors, grouping, pieceBytes / 4).map((cut, rank) => ({ ...cut, rank }));
  const grouped = grouping.kind !== "all";
  // The largest grid first: where all share one norm, its partials are set and those of the others are added to them.
  const drafts = dispatchesOf(
    segmentsOf(cuts, pieceBytes, false),
    "in-place",
    limits,
    limits.grid.norm,
    false,
    grouped,
  );
  drafts.sort((a, b) => b.workgroups - a.workgroups);
  let partialCount = grouped ? 0 : (drafts[0]?.workgroups ?? 0);
  const ranges: PartialRange[] = [];
  const norm = drafts.map((draft, i) => {
    const firstPartial = grouped ? partialCount : 0;
    if (grouped) {
      partialCount += draft.workgroups;
      ranges.push(...rangesOf(draft, firstPartial));
    }
    return { ...draft, table: tableOf({ ...draft, power, firstPartial, fresh: grouped || i === 0 }) };
  });
  const written = new Set(writes ? distinctWrites(tensors) : []);
  const into = (wanted: boolean) => cuts.filter(({ tensor }) => written.has(tensor) && !!tensor.into === wanted);
  const scale = [
    ...dispatchesOf(segmentsOf(into(true), pieceBytes, true), "into", limits, limits.grid.scale, true, false),
    ...dispatchesOf(segmentsOf(into(false), pieceBytes, true), "in-place", limits, limits.grid.scale, true, false),
  ].map((draft) => ({ ...draft, table: tableOf({ ...draft, power, firstPartial: 0, fresh: true }) }));
  return { norm, scale, partialCount, ranges };
}

const FORMATS = (["f32", "f16", "bf16"] as const).flatMap((dtype) =>
  (["vec4", "u32"] as const).map((word): Format => ({ dtype, word })),
);

type Draft = Omit<Dispatch, "table"> & { readonly placed: readonly Placed[]; readonly tilesPerWorkgroup: number };

function dispatchesOf(
  segments: readonly Segment[],
  target: "in-place" | "into",
  limits: PlanLimits,
  grid: number,
  writes: boolean,
  grouped: boolean,
): Draft[] {
  const capacity = target === "into" ? limits.pairSlots : limits.slots;
  return FORMATS.flatMap((format) => {
    const alike = segments.filter((segment) => segment.dtype === format.dtype && wordOf(segment) === format.word);
    return (writes ? apartByWord(alike) : [alike]).flatMap((together) => {
      const slots = slotsOf(together, limits.maxBinding);
      return batched(slots, capacity, writes ? conflictsIn(slots) : () => false).map((batch) => ({
        format,
        target: target === "into" && sharesBuffer(batch) ? ("shared" as const) : target,
        slots: batch,
        ...spread(batch, format.word, grid, grouped),
      }));
    });
  });
}

/** As few bindings as possible: everything in one buffer shares one, unless the buffer is also a destination. */
function slotsOf(segments: readonly Segment[], maxBinding: number): Slot[] {
  const destinations = new Set(segments.map((segment) => segment.into?.memory));
  const byBuffers = new Map<string, Segment[]>();
  for (const segment of segments) {
    const key = `${idOf(segment.source.memory)},${segment.into ? idOf(segment.into.memory) : ""}`;
    const same = byBuffers.get(key);
    if (same) same.push(segment);
    else byBuffers.set(key, [segment]);
  }
  const slots: Slot[] = [];
  for (const same of byBuffers.values()) {
    same.sort((a, b) => a.source.byteOffset - b.source.byteOffset);
    let slot: Slot | undefined;
    for (const segment of same) {
      const source = windowOf(segment.source);
      const into = segment.into && windowOf(segment.into);
      const widened = slot && {
        source: union(slot.source, source),
        into: slot.into && into && union(slot.into, into),
      };
      // What is written next to other destinations may not span them.
      const apart =
        (slot?.into && into && !near(slot.into, into)) ||
        (slot && destinations.has(segment.source.memory) && !near(slot.source, source));
      const fits =
        widened &&
        Math.max(widened.source.size, widened.into?.size ?? 0) <= maxBinding &&
        !(widened.into && overlap(widened.source, widened.into));
      if (slot && widened && fits && !apart && slot.segments.length < MOST_SEGMENTS) {
        Object.assign(slot, widened);
        slot.segments.push(segment);
      } else {
        slot = { source, into, segments: [segment] };
        slots.push(slot);
      }
    }
  }
  slots.forEach(refuseOverlappingWindows);
  return slots;
}

function windowOf({ memory, byteOffset, byteLength }: Range): Window {
  const buffer = memory as GPUBuffer;
  const offset = byteOffset - (byteOffset % ALIGNMENT);
  const end = Math.ceil((byteOffset + byteLength) / ALIGNMENT) * ALIGNMENT;
  return { memory: buffer, offset, size: Math.min(end, buffer.size - (buffer.size % 4)) - offset };
}

function union(a: Window, b: Window): Window {
  const offset = Math.min(a.offset, b.offset);
  return { memory: a.memory, offset, size: Math.max(a.offset + a.size, b.offset + b.size) - offset };
}

function overlap(a: Window, b: Window): boolean {
  return a.memory === b.memory && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

function near(a: Window, b: Window): boolean {
  return a.memory === b.memory && a.offset <= b.offset + b.size && b.offset <= a.offset + a.size;
}

function refuseOverlappingWindows({ source, into, segments }: Slot): void {
  if (!into || !overlap(source, into)) return;
  const bytes = (window: Window) => `bytes ${window.offset} to ${window.offset + window.size}`;
  throw new RangeError(
    `${segments[0]?.label} and its into share a 256-byte window of one buffer (${bytes(source)} and ${bytes(into)} would be bound); put them into different buffers or further apart.`,
  );
}

/** First fit, in the caller's order. In one dispatch, what is written may overlap no other binding. */
function batched(slots: readonly Slot[], capacity: number, conflict: (a: Slot, b: Slot) => boolean): Slot[][] {
  const firstRank = (slot: Slot) => Math.min(...slot.segments.map((segment) => segment.rank));
  const ordered = [...slots].sort((a, b) => firstRank(a) - firstRank(b));
  const batches: { slots: Slot[]; segments: number }[] = [];
  let open = 0; // batches before this one are full
  for (const slot of ordered) {
    const batch = batches
      .slice(open)
      .find(
        ({ slots, segments }) =>
          slots.length < capacity &&
          segments + slot.segments.length <= MOST_SEGMENTS &&
          !slots.some((other) => conflict(other, slot)),
      );
    if (batch) {
      batch.slots.push(slot);
      batch.segments += slot.segments.length;
    } else {
      batches.push({ slots: [slot], segments: slot.segments.length });
    }
    while (batches[open]?.slots.length === capacity) open += 1;
  }
  return batches.map((batch) => batch.slots);
}

/** What is written may overlap nothing; nor may what is read from a buffer that is a destination, as it is bound writable. */
function conflictsIn(slots: readonly Slot[]): (a: Slot, b: Slot) => boolean {
  const destinations = new Set(slots.map((slot) => slot.into?.memory));
  return (a, b) =>
    overlap(a.into ?? a.source, b.into ?? b.source) ||
    (a.into !== undefined && overlap(a.into, b.source)) ||
    (b.into !== undefined && overlap(b.into, a.source)) ||
    (destinations.has(a.source.memory) && overlap(a.source, b.source));
}

function sharesBuffer(slots: readonly Slot[]): boolean {
  const destinations = new Set(slots.map((slot) => slot.into?.memory));
  return slots.some((slot) => destinations.has(slot.source.memory));
}

/** The tiles of a dispatch, over at most `grid` workgroups unless they need more; grouped, none works for two groups. */
function spread(slots: readonly Slot[], word: Word, grid: number, grouped: boolean) {
  const segments = slots.flatMap((slot, number) => slot.segments.map((segment) => ({ segment, slot: number })));
  if (grouped) segments.sort((a, b) => a.segment.group - b.segment.group);
  const tiles = segments.reduce((sum, { segment }) => sum + tilesOf(segment, word), 0);
  const wanted = Math.max(Math.min(tiles, grid), Math.ceil(tiles / MOST_ROUNDS));
  const tilesPerWorkgroup = Math.ceil(tiles / wanted);
  let tile = 0;
  let group = segments[0]?.segment.group;
  const placed = segments.map(({ segment, slot }) => {
    if (grouped && segment.group !== group) tile = Math.ceil(tile / tilesPerWorkgroup) * tilesPerWorkgroup;
    group = segment.group;
    const at = { segment, slot, tile };
    tile += tilesOf(segment, word);
    return at;
  });
  return { placed, tilesPerWorkgroup, workgroups: Math.ceil(tile / tilesPerWorkgroup) };
}

/** Which partials belong to which group; a group's segments stand together, and its workgroups too. */
function rangesOf({ placed, tilesPerWorkgroup, format }: Draft, firstPartial: number): PartialRange[] {
  const ranges: PartialRange[] = [];
  for (const { segment, tile } of placed) {
    const first = firstPartial + Math.floor(tile / tilesPerWorkgroup);
    const end = firstPartial + Math.ceil((tile + tilesOf(segment, format.word)) / tilesPerWorkgroup);
    const last = ranges.at(-1);
    if (last?.group === segment.group) last.end = end;
    else ranges.push({ group: segment.group, first, end });
  }
  return ranges;
}
