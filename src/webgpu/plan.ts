import { distinctWrites, idOf, type Range, type Tensor } from "../gradients.ts";
import { ALIGNMENT } from "./device.ts";
import type { Format, Target, Word } from "./kernels.ts";
import { apartByWord, ranksOf, type Segment, segmentsOf, wordOf } from "./segments.ts";
import { MOST_SEGMENTS, tableOf, tilesOf } from "./table.ts";

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

/** Rounds of a loop in one invocation: lavapipe stops any shader loop at 65,535. */
const MOST_ROUNDS = 65_535;

/** What a clip records for one set of buffers. */
export interface Plan {
  readonly norm: readonly Dispatch[];
  readonly scale: readonly Dispatch[];
  readonly partialCount: number;
}

export interface PlanLimits {
  readonly slots: number;
  readonly pairSlots: number;
  /** Bytes of a binding. */
  readonly maxBinding: number;
  readonly grid: { readonly norm: number; readonly scale: number };
}

/**
 * The longest piece whose window fits a binding wherever it begins: of float32, and as many elements of 16 bits, because
 * the ranks must depend on the lengths alone.
 */
export function pieceElementsOf(maxBinding: number): number {
  return (Math.floor(maxBinding / ALIGNMENT) * ALIGNMENT - ALIGNMENT) / 4;
}

export function planFor(tensors: readonly Tensor[], limits: PlanLimits, writes: boolean, power = 0): Plan {
  const pieceElements = pieceElementsOf(limits.maxBinding);
  const ranks = new Map(ranksOf(tensors, pieceElements).map((rank, i) => [tensors[i] as Tensor, rank]));
  const read = segmentsOf(tensors, ranks, pieceElements, false);
  // The largest grid first: its partials are set, those of the others are added to them.
  const norm = dispatchesOf(read, "in-place", limits, limits.grid.norm, false)
    .sort((a, b) => b.workgroups - a.workgroups)
    .map((dispatch, i) => ({ ...dispatch, table: tableOf({ ...dispatch, power }, i === 0) }));
  const written = writes ? segmentsOf(distinctWrites(tensors), ranks, pieceElements, true) : [];
  const scale = [
    ...dispatchesOf(
      written.filter((segment) => segment.into),
      "into",
      limits,
      limits.grid.scale,
      true,
    ),
    ...dispatchesOf(
      written.filter((segment) => !segment.into),
      "in-place",
      limits,
      limits.grid.scale,
      true,
    ),
  ].map((dispatch) => ({ ...dispatch, table: tableOf({ ...dispatch, power }, true) }));
  return { norm, scale, partialCount: norm[0]?.workgroups ?? 0 };
}

const FORMATS = (["f32", "f16", "bf16"] as const).flatMap((dtype) =>
  (["vec4", "u32"] as const).map((word): Format => ({ dtype, word })),
);

type Draft = Omit<Dispatch, "table"> & { slots: Slot[]; tilesPerWorkgroup: number };

function dispatchesOf(
  segments: readonly Segment[],
  target: "in-place" | "into",
  limits: PlanLimits,
  grid: number,
  writes: boolean,
): Draft[] {
  const capacity = target === "into" ? limits.pairSlots : limits.slots;
  return FORMATS.flatMap((format) => {
    const alike = segments.filter((segment) => segment.dtype === format.dtype && wordOf(segment) === format.word);
    return (writes ? apartByWord(alike) : [alike]).flatMap((together) =>
      batched(slotsOf(together, limits.maxBinding), capacity, writes).map((batch) => ({
        format,
        target: target === "into" && sharesBuffer(batch) ? "shared" : target,
        slots: batch,
        ...spread(batch, format.word, grid),
      })),
    );
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
      const apart = slot && destinations.has(segment.source.memory) && !overlap(slot.source, source);
      const fits = widened && Math.max(widened.source.size, widened.into?.size ?? 0) <= maxBinding;
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

function refuseOverlappingWindows({ source, into }: Slot): void {
  if (!into || !overlap(source, into)) return;
  const bytes = (window: Window) => `bytes ${window.offset} to ${window.offset + window.size}`;
  throw new RangeError(
    `A gradient and its into are in one buffer and share a 256-byte window (${bytes(source)} and ${bytes(into)} would be bound); put them into different buffers or further apart.`,
  );
}

/** First fit, in the caller's order. In one dispatch, what is written may overlap no other binding. */
function batched(slots: readonly Slot[], capacity: number, writes: boolean): Slot[][] {
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
          !(writes && slots.some((other) => conflict(other, slot))),
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

function conflict(a: Slot, b: Slot): boolean {
  const bothWritten = overlap(a.into ?? a.source, b.into ?? b.source);
  const crossed = (a.into && overlap(a.into, b.source)) || (b.into && overlap(b.into, a.source));
  return bothWritten || Boolean(crossed) || (sharesBuffer([a, b]) && overlap(a.source, b.source));
}

function sharesBuffer(slots: readonly Slot[]): boolean {
  const destinations = new Set(slots.map((slot) => slot.into?.memory));
  return slots.some((slot) => destinations.has(slot.source.memory));
}

/** The tiles of a dispatch, over at most `grid` workgroups unless they need more. */
function spread(slots: readonly Slot[], word: Word, grid: number) {
  const tiles = slots.flatMap((slot) => slot.segments).reduce((sum, segment) => sum + tilesOf(segment, word), 0);
  const workgroups = Math.max(Math.min(tiles, grid), Math.ceil(tiles / MOST_ROUNDS));
  const tilesPerWorkgroup = Math.ceil(tiles / workgroups);
  return { workgroups: Math.ceil(tiles / tilesPerWorkgroup), tilesPerWorkgroup };
}
