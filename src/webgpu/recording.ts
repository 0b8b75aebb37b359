import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { Recent } from "../recent.ts";
import type { Source } from "../source.ts";
import { STORAGE, UNIFORM } from "../usage.ts";
import type { Tensor } from "../view.ts";
import { alignedDown, alignedUp } from "./alignment.ts";
import { byteTable, constantBuffer, type DeviceContext, newBuffer, placeholder, refuseBeyond } from "./device.ts";
import { type BindingType, bindGroup, layoutOf, type SlotKind, slotGroup, slotTypes } from "./layouts.ts";
import { type BufferName, type Dispatch, VALUE_BYTES, type ValuesFrom } from "./passes/pass.ts";
import type { Kernel } from "./pipelines.ts";
import { type Plan, planOf } from "./plan.ts";
import { type Buffers, buffersOf, type Slot } from "./windows.ts";

/** One dispatch, ready to be recorded. */
export interface Step {
  readonly kernel: Kernel;
  readonly first: GPUBindGroup;
  readonly second: GPUBindGroup;
  /** The first byte of the step's values that the second group takes. */
  readonly valuesFrom?: ValuesFrom | undefined;
  readonly workgroups: number;
}

/** The part of a plan that does not depend on the buffers. */
interface Layout {
  readonly tables: GPUBuffer;
  readonly recipes: readonly Recipe[];
}

/** A step, or a step without its bind group of gradients but with the slots for it. */
type Recipe =
  | Step
  | (Omit<Step, "first"> & {
      readonly kind: SlotKind;
      readonly slots: readonly Slot[];
      readonly readsGradScale: boolean;
    });

const PARTIAL_BYTES = 32;

/** The clip's buffers that do not depend on its gradients. */
export interface ClipBuffers {
  readonly record: GPUBuffer;
  /** With several norms: an entry for each group. */
  readonly entries: GPUBuffer | undefined;
  /** With tensorNorms: an entry for each gradient. */
  readonly tensorNorms: GPUBuffer | undefined;
  readonly state: GPUBuffer | undefined;
}

/** Makes the bind groups of one clip. All of them share scratch and record. */
export class Bindings {
  readonly #context: DeviceContext;
  readonly #buffers: ClipBuffers;
  readonly #method: ClipMethod;
  readonly #options: CheckedOptions;
  readonly #layouts = new Recent<Layout>(({ tables }) => this.#retire(tables));
  #partials: GPUBuffer | undefined;
  #retired: WeakRef<GPUBuffer>[] = [];

  constructor(context: DeviceContext, buffers: ClipBuffers, method: ClipMethod, options: CheckedOptions) {
    this.#context = context;
    this.#buffers = buffers;
    this.#method = method;
    this.#options = options;
  }

  bind(list: TensorList): Step[] {
    const { tensors } = list;
    const numbers = buffersOf(tensors);
    const buffers = [...numbers.keys()] as GPUBuffer[];
    const { recipes } = this.#layouts.get(structureOf(tensors, numbers), () =>
      this.#makeLayout(planOf(this.#method, this.#options, list, this.#context)),
    );
    if (recipes.some((recipe) => "slots" in recipe && recipe.readsGradScale)) {
      refuseGradScaleAmong(tensors, this.#options.gradScale);
    }
    return recipes.map((recipe) =>
      "slots" in recipe ? { ...recipe, first: slotGroup(this.#context, recipe.kind, recipe.slots, buffers) } : recipe,
    );
  }

  destroy(): void {
    this.#partials?.destroy();
    for (const { tables } of this.#layouts.values()) tables.destroy();
    for (const retired of this.#retired) retired.deref()?.destroy();
  }

  /** Keeps an old buffer: an encoder that is not submitted yet may use it. Garbage collection or `destroy` frees it. */
  #retire(buffer: GPUBuffer | undefined): void {
    this.#retired = this.#retired.filter((retired) => retired.deref());
    if (buffer) this.#retired.push(new WeakRef(buffer));
  }

  #makeLayout({ dispatches, partialCount }: Plan): Layout {
    const { words, startOf } = packed(dispatches);
    const { maxBufferSize } = this.#context.device.limits;
    for (const table of startOf.keys()) this.#refuseUnbindable(table.byteLength);
    refuseBeyond(words.byteLength, maxBufferSize, "buffer");
    const buffers = { ...this.#buffers, partials: this.#partialsFor(partialCount) };
    const usage = UNIFORM | STORAGE;
    const tables = constantBuffer(this.#context, "tables", usage, words.byteLength, (mapped) => mapped.set(words));
    try {
      return { tables, recipes: dispatches.map((dispatch) => this.#recipeOf(dispatch, buffers, tables, startOf)) };
    } catch (error) {
      tables.destroy();
      throw error;
    }
  }

  #recipeOf(
    { name, source, batch, bindings, valuesFrom, workgroups }: Dispatch,
    buffers: Record<BufferName, GPUBuffer | undefined>,
    tables: GPUBuffer,
    startOf: ReadonlyMap<Uint32Array, number>,
  ): Recipe {
    const context = this.#context;
    const own = bindings.map((binding) => {
      if ("source" in binding) return this.#sourceBinding(binding.source);
      if ("buffer" in binding) return { buffer: buffers[binding.buffer] as GPUBuffer };
      const { words, bytes = words.byteLength } = binding;
      return { buffer: tables, offset: startOf.get(words), size: bytes };
    });
    const ownTypes = bindings.map(({ type }) => type);
    const values = Array.from({ length: VALUE_BYTES - (valuesFrom ?? VALUE_BYTES) }, () => ({
      buffer: byteTable(context),
      size: 16,
    }));
    const valueTypes = values.map((): BindingType => "bytes");
    const stepOf = (first: readonly BindingType[], second: readonly BindingType[]) => ({
      kernel: { name, source, layouts: [layoutOf(context, first), layoutOf(context, second)] as const },
      valuesFrom,
      workgroups,
    });
    if (!batch) {
      return {
        ...stepOf(ownTypes, valueTypes),
        first: bindGroup(context, "decision", ownTypes, own),
        second: bindGroup(context, "values", valueTypes, values),
      };
    }
    const types = [...ownTypes, ...valueTypes];
    const { target, writes, bindings: count, slots } = batch;
    return {
      ...stepOf(slotTypes(batch), types),
      second: bindGroup(context, "tables", types, [...own, ...values]),
      kind: { target, writes, bindings: count },
      // Without their segments, which take much memory.
      slots: slots.map(({ source, into }) => ({ source, into })),
      readsGradScale: bindings.some((binding) => "source" in binding),
    };
  }

  /** The buffer of partials. It grows with the plan. */
  #partialsFor(count: number): GPUBuffer {
    const size = PARTIAL_BYTES * count;
    this.#refuseUnbindable(size);
    if (!this.#partials || this.#partials.size < size) {
      const label = `${this.#context.label} partials`;
      const larger = newBuffer(this.#context, { label, size, usage: STORAGE });
      this.#retire(this.#partials);
      this.#partials = larger;
    }
    return this.#partials;
  }

  #refuseUnbindable(size: number): void {
    refuseBeyond(size, this.#context.device.limits.maxStorageBufferBindingSize, "binding");
  }

  #sourceBinding(source: number | Source | undefined): GPUBufferBinding {
    if (typeof source !== "object") return { buffer: placeholder(this.#context), size: 4 };
    const offset = alignedDown(source.byteOffset);
    return { buffer: source.buffer, offset, size: source.byteOffset + 4 - offset };
  }
}

/**
 * Everything that a plan depends on. It is the same for lists with the same layout in other buffers, as engines with pooled tensors
 * pass in each step. Such a list needs no planning, only bind groups.
 */
function structureOf(tensors: readonly Tensor[], buffers: Buffers): unknown[] {
  const structure: unknown[] = [];
  for (const { index, length, dtype, shape, source, into, parameter } of tensors) {
    structure.push(index, length, dtype, shape?.join(), parameter?.dtype);
    for (const range of [source, into, parameter?.source]) {
      const buffer = range?.buffer as GPUBuffer | undefined;
      structure.push(buffer && buffers.get(buffer), range?.byteOffset, range?.byteLength, buffer?.size);
    }
  }
  return structure;
}

/** A dispatch cannot read a buffer that it writes. */
function refuseGradScaleAmong(tensors: readonly Tensor[], gradScale: number | Source): void {
  if (typeof gradScale === "number") return;
  const tensor = tensors.find(({ source, into }) => [source.buffer, into?.buffer].includes(gradScale.buffer));
  if (!tensor) return;
  throw new RangeError(
    `options.gradScale is in the buffer of ${tensor.label}, which is written; put it into another buffer.`,
  );
}

/** Packs the words of all dispatches. Each begins on 256 bytes and has room for all bytes of its binding. */
function packed(dispatches: readonly Dispatch[]): { words: Uint32Array; startOf: Map<Uint32Array, number> } {
  const startOf = new Map<Uint32Array, number>();
  let [next, end] = [0, 0];
  for (const binding of dispatches.flatMap(({ bindings }) => bindings)) {
    if (!("words" in binding)) continue;
    const { words, bytes = 0 } = binding;
    startOf.set(words, next);
    end = Math.max(end, next + Math.max(bytes, words.byteLength));
    next = alignedUp(next + words.byteLength);
  }
  const all = new Uint32Array(Math.max(end, next) / 4);
  for (const [words, start] of startOf) all.set(words, start / 4);
  return { words: all, startOf };
}
