import { type DeviceContext, placeholder } from "./device.ts";
import type { Target } from "./kernels.ts";
import type { Pass } from "./plan.ts";
import type { BufferSlot, Window } from "./slots.ts";

const COMPUTE = 4;

/** What a binding is: "bytes" is a number of the step, chosen by a dynamic offset into the byte table. */
export type BindingType = GPUBufferBindingType | "bytes";

export const READ = "read-only-storage";

/** The bind group layout of these bindings; made once per device. */
export function layoutOf(context: DeviceContext, types: readonly BindingType[]): GPUBindGroupLayout {
  const key = types.join();
  const known = context.layouts.get(key);
  if (known) return known;
  const layout = context.device.createBindGroupLayout({
    label: `${context.label} ${key}`,
    entries: types.map((type, binding) => ({
      binding,
      visibility: COMPUTE,
      buffer: type === "bytes" ? { type: "uniform", hasDynamicOffset: true, minBindingSize: 16 } : { type },
    })),
  });
  context.layouts.set(key, layout);
  return layout;
}

/** Gradient bindings of a dispatch, and pairs of source and destination, beside the storage buffers of its group 1. */
export function capacityOf(context: DeviceContext, pass: Pass): { slots: number; pairSlots: number } {
  // clamp reads gradScale from a buffer and writes partials; every other pass has one such binding.
  const slots = pass === "clamp" ? context.slots - 1 : context.slots;
  return { slots, pairSlots: Math.floor(slots / 2) };
}

export function slotTypes(context: DeviceContext, pass: Pass, target: Target): BindingType[] {
  const { slots, pairSlots } = capacityOf(context, pass);
  const many = (count: number, type: BindingType) => Array<BindingType>(count).fill(type);
  if (pass === "norm" || pass === "unit norm") return many(slots, READ);
  if (target === "in-place") return many(slots, "storage");
  // WebGPU wants a buffer that is on both sides writable on both.
  return [...many(pairSlots, target === "into" ? READ : "storage"), ...many(pairSlots, "storage")];
}

/** The gradients of a dispatch, in its slots. */
export function slotGroup(
  context: DeviceContext,
  pass: Pass,
  target: Target,
  slots: readonly BufferSlot<GPUBuffer>[],
): GPUBindGroup {
  const types = slotTypes(context, pass, target);
  const capacity = capacityOf(context, pass);
  const binding = ({ buffer, offset, size }: Window) => ({ buffer, offset, size });
  const sources = slots.map(({ source }) => binding(source));
  const destinations = slots.flatMap(({ into }) => (into ? [binding(into)] : []));
  const count = target === "in-place" ? capacity.slots : capacity.pairSlots;
  const isRead = types[0] === READ;
  const resources = [
    ...(isRead ? filledWithFirst(sources, count) : filledApart(context, sources, count, 0)),
    ...(target === "in-place" ? [] : filledApart(context, destinations, count, isRead ? 0 : count)),
  ];
  const entries = resources.map((resource, binding) => ({ binding, resource }));
  return context.device.createBindGroup({
    label: `${context.label} gradients`,
    layout: layoutOf(context, types),
    entries,
  });
}

/** The slots that are left over: what is only read may be bound again. */
function filledWithFirst(bound: readonly GPUBufferBinding[], count: number): GPUBufferBinding[] {
  return Array.from({ length: count }, (_, slot) => bound[slot] ?? (bound[0] as GPUBufferBinding));
}

/** What is written may not: each takes a range of its own, from `start` on. */
function filledApart(
  context: DeviceContext,
  bound: readonly GPUBufferBinding[],
  count: number,
  start: number,
): GPUBufferBinding[] {
  const fill = (slot: number) => ({ buffer: placeholder(context), offset: 256 * (start + slot), size: 256 });
  return Array.from({ length: count }, (_, slot) => bound[slot] ?? fill(slot));
}
