import { type DeviceState, filler } from "./device.ts";
import type { Target } from "./kernels.ts";
import type { Pass } from "./plan.ts";
import type { BufferSlot, Window } from "./slots.ts";

const COMPUTE = 4;

/** What a binding is: "bytes" is a number of the step, chosen by a dynamic offset into the byte table. */
export type BindingType = GPUBufferBindingType | "bytes";

export const READ = "read-only-storage";

/** The bind group layout of these bindings; made once per device. */
export function layoutOf(state: DeviceState, types: readonly BindingType[]): GPUBindGroupLayout {
  const key = types.join();
  const known = state.layouts.get(key);
  if (known) return known;
  const layout = state.device.createBindGroupLayout({
    label: `${state.label} ${key}`,
    entries: types.map((type, binding) => ({
      binding,
      visibility: COMPUTE,
      buffer: type === "bytes" ? { type: "uniform", hasDynamicOffset: true, minBindingSize: 16 } : { type },
    })),
  });
  state.layouts.set(key, layout);
  return layout;
}

/** Gradient bindings of a dispatch, and pairs of source and destination, beside the storage buffers of its group 1. */
export function capacityOf(state: DeviceState, pass: Pass): { slots: number; pairSlots: number } {
  // clamp reads gradScale from a buffer and writes partials; every other pass has one such binding.
  const slots = pass === "clamp" ? state.slots - 1 : state.slots;
  return { slots, pairSlots: Math.floor(slots / 2) };
}

export function slotTypes(state: DeviceState, pass: Pass, target: Target): BindingType[] {
  const { slots, pairSlots } = capacityOf(state, pass);
  const many = (count: number, type: BindingType) => Array<BindingType>(count).fill(type);
  if (pass === "norm" || pass === "unit norm") return many(slots, READ);
  if (target === "in-place") return many(slots, "storage");
  // WebGPU wants a buffer that is on both sides writable on both.
  return [...many(pairSlots, target === "into" ? READ : "storage"), ...many(pairSlots, "storage")];
}

/** The gradients of a dispatch, in its slots. */
export function slotGroup(
  state: DeviceState,
  pass: Pass,
  target: Target,
  slots: readonly BufferSlot<GPUBuffer>[],
): GPUBindGroup {
  const types = slotTypes(state, pass, target);
  const capacity = capacityOf(state, pass);
  const binding = ({ memory, offset, size }: Window) => ({ buffer: memory, offset, size });
  const sources = slots.map(({ source }) => binding(source));
  const destinations = slots.flatMap(({ into }) => (into ? [binding(into)] : []));
  const count = target === "in-place" ? capacity.slots : capacity.pairSlots;
  const isRead = types[0] === READ;
  const resources = [
    ...(isRead ? filledWithFirst(sources, count) : filledApart(state, sources, count, 0)),
    ...(target === "in-place" ? [] : filledApart(state, destinations, count, isRead ? 0 : count)),
  ];
  const entries = resources.map((resource, binding) => ({ binding, resource }));
  return state.device.createBindGroup({ label: `${state.label} gradients`, layout: layoutOf(state, types), entries });
}

/** The slots that are left over: what is only read may be bound again. */
function filledWithFirst(bound: readonly GPUBufferBinding[], count: number): GPUBufferBinding[] {
  return Array.from({ length: count }, (_, slot) => bound[slot] ?? (bound[0] as GPUBufferBinding));
}

/** What is written may not: each takes a range of its own, from `start` on. */
function filledApart(
  state: DeviceState,
  bound: readonly GPUBufferBinding[],
  count: number,
  start: number,
): GPUBufferBinding[] {
  const fill = (slot: number) => ({ buffer: filler(state), offset: 256 * (start + slot), size: 256 });
  return Array.from({ length: count }, (_, slot) => bound[slot] ?? fill(slot));
}
