import { type DeviceState, filler } from "./device.ts";

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
  /** Group 1 of scale: its table and the record, or the entries of the groups. */
  readonly record: GPUBindGroupLayout;
  readonly entries: GPUBindGroupLayout;
  readonly finish: GPUBindGroupLayout;
  /** For a method with a memory. */
  readonly finishWithMemory: GPUBindGroupLayout;
  readonly finishGroups: GPUBindGroupLayout;
  /** Group 1 of finish: eight bytes. */
  readonly bytes: GPUBindGroupLayout;
}

const COMPUTE = 4;

export function layoutsOf(state: DeviceState): Layouts {
  state.layouts ??= makeLayouts(state);
  return state.layouts;
}

/** Pairs of source and destination that one dispatch can bind beside the entries of the groups. */
export function pairSlots(state: DeviceState): number {
  return Math.floor(state.slots / 2);
}

function makeLayouts(state: DeviceState): Layouts {
  const make = (name: string, types: readonly (GPUBufferBindingType | "dynamic")[]) =>
    state.device.createBindGroupLayout({
      label: `${state.label} ${name}`,
      entries: types.map((type, binding) => ({
        binding,
        visibility: COMPUTE,
        buffer: type === "dynamic" ? { type: "uniform", hasDynamicOffset: true, minBindingSize: 16 } : { type },
      })),
    });
  const many = (count: number, type: GPUBufferBindingType) => Array<GPUBufferBindingType>(count).fill(type);
  const pairs = pairSlots(state);
  const read = "read-only-storage";
  return {
    read: make("gradients, read", many(state.slots, read)),
    written: make("gradients, written", many(state.slots, "storage")),
    readInto: make("gradients and destinations", [...many(pairs, read), ...many(pairs, "storage")]),
    writtenInto: make("gradients and destinations in shared buffers", many(2 * pairs, "storage")),
    partials: make("table and partials", ["uniform", "storage"]),
    record: make("table and record", ["uniform", "uniform"]),
    entries: make("table and entries", ["uniform", read]),
    finish: make("finish", [read, "storage", read, read, "uniform"]),
    finishWithMemory: make("finish with a memory", [read, "storage", read, read, "uniform", "storage"]),
    finishGroups: make("finish of groups", ["storage", "storage", read, read, "uniform", read]),
    bytes: make("values of the step", Array(8).fill("dynamic")),
  };
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
