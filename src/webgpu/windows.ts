import type { Range } from "../ranges.ts";
import type { Tensor } from "../view.ts";
import { alignedDown, alignedUp } from "./alignment.ts";
import type { Segment } from "./segments.ts";

/** The bound part of a buffer; it begins on 256 bytes. Buffers have numbers, because other buffers may replace them. */
export interface Window {
  readonly buffer: number;
  readonly offset: number;
  readonly size: number;
}

/** The windows of one slot of a dispatch: a source, or a source and a destination. */
export interface Slot {
  readonly source: Window;
  readonly into?: Window;
}

/** A slot with its segments. */
export interface FilledSlot extends Slot {
  source: Window;
  into?: Window;
  readonly segments: Segment[];
  /** The least number of its pieces. */
  piece: number;
}

/** The buffers of a list, numbered in the order of the list. */
export type Buffers = ReadonlyMap<Range["buffer"], number>;

export function buffersOf(tensors: readonly Tensor[]): Buffers {
  const numbers = new Map<Range["buffer"], number>();
  for (const { source, into, parameter } of tensors) {
    for (const range of [source, into, parameter?.source]) {
      if (range && !numbers.has(range.buffer)) numbers.set(range.buffer, numbers.size);
    }
  }
  return numbers;
}

/** Makes as few bindings as possible: segments in one buffer share a binding, unless the buffer is also a destination. */
export function slotsOf(
  segments: readonly Segment[],
  buffers: Buffers,
  limits: { readonly maxBinding: number; readonly mostSegments: number },
): FilledSlot[] {
  const destinations = new Set(segments.map(({ into }) => into?.buffer));
  const slots = [...byBuffers(segments, buffers).values()].flatMap((same) => {
    same.sort((a, b) => a.source.byteOffset - b.source.byteOffset);
    const slots: FilledSlot[] = [];
    for (const segment of same) {
      const last = slots.at(-1);
      const next = {
        source: windowOf(segment.source, buffers),
        into: segment.into && windowOf(segment.into, buffers),
        segments: [segment],
        piece: segment.piece,
      };
      const widened = last && widenedBy(last, next, limits, destinations.has(segment.source.buffer));
      if (last && widened) {
        Object.assign(last, widened);
        last.segments.push(segment);
        last.piece = Math.min(last.piece, segment.piece);
      } else {
        slots.push(next);
      }
    }
    return slots;
  });
  slots.forEach(refuseOverlappingWindows);
  return slots;
}

function byBuffers(segments: readonly Segment[], buffers: Buffers): Map<string, Segment[]> {
  const groups = new Map<string, Segment[]>();
  for (const segment of segments) {
    const { source, into } = segment;
    const key = `${buffers.get(source.buffer)},${into ? buffers.get(into.buffer) : ""}`;
    const same = groups.get(key);
    if (same) same.push(segment);
    else groups.set(key, [segment]);
  }
  return groups;
}

/** The windows of a slot extended by another one; undefined if they must stay apart. */
function widenedBy(
  slot: FilledSlot,
  next: Slot,
  limits: { readonly maxBinding: number; readonly mostSegments: number },
  isDestination: boolean,
): Slot | undefined {
  if (slot.segments.length >= limits.mostSegments) return undefined;
  // A window that is written must not cover other destinations.
  if (slot.into && next.into && !near(slot.into, next.into)) return undefined;
  if (isDestination && !near(slot.source, next.source)) return undefined;
  const source = union(slot.source, next.source);
  const into = slot.into && next.into && union(slot.into, next.into);
  if (Math.max(source.size, into?.size ?? 0) > limits.maxBinding) return undefined;
  return into && overlap(source, into) ? undefined : { source, into };
}

function windowOf({ buffer, byteOffset, byteLength }: Range, buffers: Buffers): Window {
  const { size } = buffer as GPUBuffer;
  const offset = alignedDown(byteOffset);
  const end = Math.min(alignedUp(byteOffset + byteLength), size - (size % 4));
  return { buffer: buffers.get(buffer) as number, offset, size: end - offset };
}

function union(a: Window, b: Window): Window {
  const offset = Math.min(a.offset, b.offset);
  return { buffer: a.buffer, offset, size: Math.max(a.offset + a.size, b.offset + b.size) - offset };
}

function overlap(a: Window, b: Window): boolean {
  return a.buffer === b.buffer && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

/** Of two windows in one buffer. */
function near(a: Window, b: Window): boolean {
  return a.offset <= b.offset + b.size && b.offset <= a.offset + a.size;
}

function refuseOverlappingWindows({ source, into, segments }: FilledSlot): void {
  if (!into || !overlap(source, into)) return;
  const bytes = (window: Window) => `bytes ${window.offset} to ${window.offset + window.size}`;
  throw new RangeError(
    `${segments[0]?.label} and its into share a 256-byte window (${bytes(source)} and ${bytes(into)}); put one into another buffer.`,
  );
}

/** First fit, in the caller's order. Within a dispatch a written window must not overlap another binding. */
export function batched(
  slots: readonly FilledSlot[],
  capacity: number,
  mostSegments: number,
  conflict: (a: Slot, b: Slot) => boolean,
): FilledSlot[][] {
  const ordered = [...slots].sort((a, b) => a.piece - b.piece);
  const batches: { slots: FilledSlot[]; segments: number }[] = [];
  let open = 0; // batches before this one are full
  for (const slot of ordered) {
    const batch = batches
      .slice(open)
      .find(
        ({ slots, segments }) =>
          slots.length < capacity &&
          segments + slot.segments.length <= mostSegments &&
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

/** A written window must overlap no other. Where a buffer is read and written, every source is bound writable: see sharesBuffer. */
export function conflictsIn(slots: readonly Slot[]): (a: Slot, b: Slot) => boolean {
  const isShared = sharesBuffer(slots);
  return (a, b) =>
    overlap(a.into ?? a.source, b.into ?? b.source) ||
    (a.into !== undefined && overlap(a.into, b.source)) ||
    (b.into !== undefined && overlap(b.into, a.source)) ||
    (isShared && overlap(a.source, b.source));
}

export function sharesBuffer(slots: readonly Slot[]): boolean {
  const destinations = new Set(slots.map((slot) => slot.into?.buffer));
  return slots.some((slot) => destinations.has(slot.source.buffer));
}
