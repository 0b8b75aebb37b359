import { idOf, type Range } from "../ranges.ts";
import { ALIGNMENT } from "./device.ts";
import type { Segment } from "./segments.ts";

/** Part of a buffer that is bound: it begins on 256 bytes. The buffer may be told by a number. */
export interface BufferWindow<Buffer> {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly size: number;
}

export type Window = BufferWindow<GPUBuffer>;

/** What one slot of a dispatch binds: a source, or a pair of source and destination. */
export interface BufferSlot<Buffer> {
  readonly source: BufferWindow<Buffer>;
  readonly into?: BufferWindow<Buffer>;
}

/** A slot with its segments. */
export interface Slot extends BufferSlot<GPUBuffer> {
  source: Window;
  into?: Window;
  readonly segments: Segment[];
}

/** As few bindings as possible: everything in one buffer shares one, unless the buffer is also a destination. */
export function slotsOf(segments: readonly Segment[], maxBinding: number, mostSegments: number): Slot[] {
  const destinations = new Set(segments.map((segment) => segment.into?.buffer));
  const byBuffers = new Map<string, Segment[]>();
  for (const segment of segments) {
    const key = `${idOf(segment.source.buffer)},${segment.into ? idOf(segment.into.buffer) : ""}`;
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
        (slot && destinations.has(segment.source.buffer) && !near(slot.source, source));
      const fits =
        widened &&
        Math.max(widened.source.size, widened.into?.size ?? 0) <= maxBinding &&
        !(widened.into && overlap(widened.source, widened.into));
      if (slot && widened && fits && !apart && slot.segments.length < mostSegments) {
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

function windowOf(range: Range): Window {
  const { byteOffset, byteLength } = range;
  const buffer = range.buffer as GPUBuffer;
  const offset = byteOffset - (byteOffset % ALIGNMENT);
  const end = Math.ceil((byteOffset + byteLength) / ALIGNMENT) * ALIGNMENT;
  return { buffer, offset, size: Math.min(end, buffer.size - (buffer.size % 4)) - offset };
}

function union(a: Window, b: Window): Window {
  const offset = Math.min(a.offset, b.offset);
  return { buffer: a.buffer, offset, size: Math.max(a.offset + a.size, b.offset + b.size) - offset };
}

function overlap(a: Window, b: Window): boolean {
  return a.buffer === b.buffer && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

function near(a: Window, b: Window): boolean {
  return a.buffer === b.buffer && a.offset <= b.offset + b.size && b.offset <= a.offset + a.size;
}

function refuseOverlappingWindows({ source, into, segments }: Slot): void {
  if (!into || !overlap(source, into)) return;
  const bytes = (window: Window) => `bytes ${window.offset} to ${window.offset + window.size}`;
  throw new RangeError(
    `${segments[0]?.label} and its into share a 256-byte window of one buffer (${bytes(source)} and ${bytes(into)} would be bound); put them into different buffers or further apart.`,
  );
}

/** First fit, in the caller's order. In one dispatch, what is written may overlap no other binding. */
export function batched(
  slots: readonly Slot[],
  capacity: number,
  mostSegments: number,
  conflict: (a: Slot, b: Slot) => boolean,
): Slot[][] {
  const firstPiece = (slot: Slot) => Math.min(...slot.segments.map((segment) => segment.piece));
  const ordered = [...slots].sort((a, b) => firstPiece(a) - firstPiece(b));
  const batches: { slots: Slot[]; segments: number }[] = [];
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

/** What is written may overlap nothing; nor may what is read from a buffer that is a destination, as it is bound writable. */
export function conflictsIn(slots: readonly Slot[]): (a: Slot, b: Slot) => boolean {
  const destinations = new Set(slots.map((slot) => slot.into?.buffer));
  return (a, b) =>
    overlap(a.into ?? a.source, b.into ?? b.source) ||
    (a.into !== undefined && overlap(a.into, b.source)) ||
    (b.into !== undefined && overlap(b.into, a.source)) ||
    (destinations.has(a.source.buffer) && overlap(a.source, b.source));
}

export function sharesBuffer(slots: readonly Slot[]): boolean {
  const destinations = new Set(slots.map((slot) => slot.into?.buffer));
  return slots.some((slot) => destinations.has(slot.source.buffer));
}
