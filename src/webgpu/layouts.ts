import { type DeviceContext, placeholder } from "./device.ts";
import type { Batch } from "./dispatches.ts";
import type { Slot, Window } from "./windows.ts";

const COMPUTE = 4;

/** The type of a binding. "bytes" is a number of the step: a dynamic offset into the byte table selects it. */
export type BindingType = GPUBufferBindingType | "bytes";

export const READ = "read-only-storage";

/** The bind group layout of these bindings, made once per device. */
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

/** The facts that the slots of a dispatch depend on. */
export type SlotKind = Pick<Batch, "target" | "writes" | "bindings">;

export function slotTypes({ target, writes, bindings }: SlotKind): BindingType[] {
  const many = (type: BindingType) => Array<BindingType>(bindings).fill(type);
  if (!writes) return many(READ);
  if (target === "in-place") return many("storage");
  // A buffer that is both read and written in a dispatch must be writable in all its bindings.
  return [...many(target === "into" ? READ : "storage"), ...many("storage")];
}

/** The bind group of a dispatch's gradients. */
export function slotGroup(
  context: DeviceContext,
  kind: SlotKind,
  slots: readonly Slot[],
  buffers: readonly GPUBuffer[],
): GPUBindGroup {
  const types = slotTypes(kind);
  const binding = ({ buffer, offset, size }: Window) => ({ buffer: buffers[buffer] as GPUBuffer, offset, size });
  const sources = slots.map(({ source }) => binding(source));
  const destinations = slots.flatMap(({ into }) => (into ? [binding(into)] : []));
  const isRead = types[0] === READ;
  const resources = isRead ? filledWithFirst(sources, kind.bindings) : filledApart(context, sources, kind.bindings, 0);
  if (kind.target !== "in-place") {
    resources.push(...filledApart(context, destinations, kind.bindings, isRead ? 0 : kind.bindings));
  }
  return bindGroup(context, "gradients", types, resources);
}

export function bindGroup(
  context: DeviceContext,
  name: string,
  types: readonly BindingType[],
  resources: readonly GPUBufferBinding[],
): GPUBindGroup {
  return context.device.createBindGroup({
    label: `${context.label} ${name}`,
    layout: layoutOf(context, types),
    entries: resources.map((resource, binding) => ({ binding, resource })),
  });
}

/** Fills the unused slots with the first binding: a buffer that is only read may be bound twice. */
function filledWithFirst(bound: readonly GPUBufferBinding[], count: number): GPUBufferBinding[] {
  return Array.from({ length: count }, (_, slot) => bound[slot] ?? (bound[0] as GPUBufferBinding));
}

/** Fills the unused slots with separate ranges, from `start` on: written buffers must not be bound twice. */
function filledApart(
  context: DeviceContext,
  bound: readonly GPUBufferBinding[],
  count: number,
  start: number,
): GPUBufferBinding[] {
  const fill = (slot: number) => ({ buffer: placeholder(context), offset: 256 * (start + slot), size: 256 });
  return Array.from({ length: count }, (_, slot) => bound[slot] ?? fill(slot));
}
