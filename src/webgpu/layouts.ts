import { type DeviceState, filler } from "./device.ts";
import type { Target } from "./kernels.ts";

/** The bind group layouts that the kernels share; made once per device. */
export interface Layouts {
  /** Group 0 of norm: the gradients, read. */
  readonly read: GPUBindGroupLayout;
  /** Group 0 of scale in place: the gradients, written. */
  readonly written: GPUBindGroupLayout;
  /** Group 0 of scale into other buffers: half the slots read, half written. */
  readonly readInto: GPUBindGroupLayout;
  /** The same where a buffer is on both sides: WebGPU wants it writable on both. */
  readonly writtenInto: GPUBindGroupLayout;
  /** Group 1 of norm: its table and the partials. */
  readonly partials: GPUBindGroupLayout;
  /** Group 1 of scale: its table and the record. */
  readonly record: GPUBindGroupLayout;
  readonly finish: GPUBindGroupLayout;
  /** Group 1 of finish: eight bytes. */
  readonly bytes: GPUBindGroupLayout;
}

export const RECORD_BINDING = 1;
const COMPUTE = 4;
const READ = "read-only-storage";

export function layoutsOf(state: DeviceState): Layouts {
  state.layouts ??= makeLayouts(state);
  return state.layouts;
}

/** Pairs of source and destination that one dispatch can bind. */
export function pairSlots(state: DeviceState): number {
  return Math.floor((state.slots + 1) / 2);
}

/** What clamp binds: as scale, but beside the partials, and the gradScale buffer if there is one. */
export interface ClampLayouts {
  readonly slots: number;
  readonly pairs: number;
  /** Group 0. */
  readonly gradients: Record<Target, GPUBindGroupLayout>;
  /** Group 1: its table, the partials, the settings, the bytes of gradScale, and the buffer that holds it. */
  readonly values: GPUBindGroupLayout;
}

export function clampLayouts(state: DeviceState, held: boolean): ClampLayouts {
  const key = held ? "held" : "given";
  state.clampLayouts[key] ??= makeClampLayouts(state, held);
  return state.clampLayouts[key];
}

function makeClampLayouts(state: DeviceState, held: boolean): ClampLayouts {
  const make = maker(state);
  const slots = held ? state.slots - 1 : state.slots;
  const pairs = Math.floor(slots / 2);
  return {
    slots,
    pairs,
    gradients: {
      "in-place": make("gradients, clamped", many(slots, "storage")),
      into: make("gradients and destinations, clamped", [...many(pairs, READ), ...many(pairs, "storage")]),
      shared: make("gradients and destinations in shared buffers, clamped", many(2 * pairs, "storage")),
    },
    values: make("table, partials and gradScale", [
      ...(["uniform", "storage", "uniform", "dynamic", "dynamic", "dynamic", "dynamic"] as const),
      ...(held ? ([READ] as const) : []),
    ]),
  };
}

function makeLayouts(state: DeviceState): Layouts {
  const make = maker(state);
  const pairs = pairSlots(state);
  return {
    read: make("gradients, read", many(state.slots, READ)),
    written: make("gradients, written", many(state.slots, "storage")),
    readInto: make("gradients and destinations", [...many(pairs, READ), ...many(pairs, "storage")]),
    writtenInto: make("gradients and destinations in shared buffers", many(2 * pairs, "storage")),
    partials: make("table and partials", ["uniform", "storage"]),
    record: make("table and record", ["uniform", "uniform"]),
    finish: make("finish", [READ, "storage", READ, READ, "uniform"]),
    bytes: make("values of the step", Array(8).fill("dynamic")),
  };
}

function maker(state: DeviceState) {
  return (name: string, types: readonly (GPUBufferBindingType | "dynamic")[]) =>
    state.device.createBindGroupLayout({
      label: `${state.label} ${name}`,
      entries: types.map((type, binding) => ({
        binding,
        visibility: COMPUTE,
        buffer: type === "dynamic" ? { type: "uniform", hasDynamicOffset: true, minBindingSize: 16 } : { type },
      })),
    });
}

function many(count: number, type: GPUBufferBindingType): GPUBufferBindingType[] {
  return Array<GPUBufferBindingType>(count).fill(type);
}

/** A bind group of buffers in slots: those that are read, then those that are written. */
export function slotGroup(
  state: DeviceState,
  layout: GPUBindGroupLayout,
  read: readonly GPUBufferBinding[],
  written: readonly GPUBufferBinding[],
): GPUBindGroup {
  const entries = [...read, ...written].map((resource, binding) => ({ binding, resource }));
  return state.device.createBindGroup({ label: `${state.label} gradients`, layout, entries });
}

/** The slots that are left over: what is only read may be bound again. */
export function filledWithFirst(bound: readonly GPUBufferBinding[], count: number): GPUBufferBinding[] {
  return Array.from({ length: count }, (_, slot) => bound[slot] ?? (bound[0] as GPUBufferBinding));
}

/** What is written may not: each takes a range of its own, from `start` on. */
export function filledApart(
  state: DeviceState,
  bound: readonly GPUBufferBinding[],
  count: number,
  start = 0,
): GPUBufferBinding[] {
  const fill = (slot: number) => ({ buffer: filler(state), offset: 256 * (start + slot), size: 256 });
  return Array.from({ length: count }, (_, slot) => bound[slot] ?? fill(slot));
}
