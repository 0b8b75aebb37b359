import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { Recent } from "../recent.ts";
import type { Source } from "../source.ts";
import { STORAGE, UNIFORM } from "../usage.ts";
import type { Tensor } from "../view.ts";
import { alignedDown, alignedUp } from "./alignment.ts";
import { byteTable, constantBuffer, type DeviceContext, newBuffer, placeholder } from "./device.ts";
import { type BindingType, bindGroup, layoutOf, type SlotKind, slotGroup, slotTypes } from "./layouts.ts";
import type { BufferName, Dispatch, StepValue } from "./passes/pass.ts";
import type { Kernel } from "./pipelines.ts";
import { type Plan, planOf } from "./plan.ts";
import { type Buffers, buffersOf, type Slot } from "./windows.ts";

/** One dispatch, ready to be recorded. */
export interface Step {
  readonly kernel: Kernel;
  readonly first: GPUBindGroup;
  readonly second: GPUBindGroup;
  /** The bytes of the step's values that the second group takes. */
  readonly offsets?: { readonly start: number; readonly count: number };
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
/** The place of a value among the bytes of a step. */
const VALUES_AT: Record<StepValue, number> = { maxNorm: 0, gradScale: 4 };
const VALUE_BYTES = 4;

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
    return recipes.map((recipe) => this.#stepOf(recipe, buffers));
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

  #stepOf(recipe: Recipe, buffers: readonly GPUBuffer[]): Step {
    if (!("slots" in recipe)) return recipe;
    const { kernel, kind, slots, second, offsets, workgroups } = recipe;
    return { kernel, first: slotGroup(this.#context, kind, slots, buffers), second, offsets, workgroups };
  }

  #makeLayout({ dispatches, partialCount }: Plan): Layout {
    const { words, startOf } = packed(dispatches);
    const partials = this.#partialsFor(partialCount);
    const usage = UNIFORM | STORAGE;
    const tables = constantBuffer(this.#context, "tables", usage, words.byteLength, (mapped) => mapped.set(words));
    try {
      const resources = this.#resources(partials, tables);
      return { tables, recipes: dispatches.map((dispatch) => this.#recipeOf(dispatch, resources, startOf)) };
    } catch (error) {
      tables.destroy();
      throw error;
    }
  }

  #resources(partials: GPUBuffer, tables: GPUBuffer): Record<BufferName, GPUBufferBinding | undefined> {
    const whole = (buffer: GPUBuffer | undefined) => buffer && { buffer };
    return {
      partials: whole(partials),
      record: whole(this.#buffers.record),
      entries: whole(this.#buffers.entries),
      tensorNorms: whole(this.#buffers.tensorNorms),
      state: whole(this.#buffers.state),
      tables: { buffer: tables, size: 4 },
    };
  }

  #recipeOf(
    { name, source, batch, bindings, values, workgroups }: Dispatch,
    buffers: Record<BufferName, GPUBufferBinding | undefined>,
    startOf: ReadonlyMap<Uint32Array, number>,
  ): Recipe {
    const resources = bindings.map((binding) => {
      if ("source" in binding) return this.#sourceBinding(binding.source);
      if ("buffer" in binding) return buffers[binding.buffer] as GPUBufferBinding;
      const { words, bytes: size } = binding;
      return { ...(buffers.tables as GPUBufferBinding), offset: startOf.get(words), size };
    });
    const own = { types: bindings.map(({ type }) => type), resources };
    const ofStep = this.#valuesOf(values);
    const offsets = values && offsetsOf(values);
    const kernel = (first: readonly BindingType[], second: readonly BindingType[]): Kernel => ({
      name,
      source,
      layouts: [layoutOf(this.#context, first), layoutOf(this.#context, second)],
    });
    if (!batch) {
      return {
        kernel: kernel(own.types, ofStep.types),
        first: bindGroup(this.#context, "decision", own.types, own.resources),
        second: bindGroup(this.#context, "values", ofStep.types, ofStep.resources),
        offsets,
        workgroups,
      };
    }
    const types = [...own.types, ...ofStep.types];
    const { target, writes, bindings: count } = batch;
    const slots = batch.slots.map(({ source, into }) => ({ source, into }));
    const readsGradScale = bindings.some((binding) => "source" in binding);
    return {
      kernel: kernel(slotTypes(batch), types),
      kind: { target, writes, bindings: count },
      slots,
      readsGradScale,
      second: bindGroup(this.#context, "tables", types, [...own.resources, ...ofStep.resources]),
      offsets,
      workgroups,
    };
  }

  #valuesOf(values: readonly StepValue[] = []): { types: BindingType[]; resources: GPUBufferBinding[] } {
    const bytes = Array.from({ length: VALUE_BYTES * values.length }, () => ({
      buffer: byteTable(this.#context),
      size: 16,
    }));
    return { types: bytes.map(() => "bytes"), resources: bytes };
  }

  /** The buffer of partials. It grows with the plan. */
  #partialsFor(count: number): GPUBuffer {
    const size = PARTIAL_BYTES * count;
    const most = this.#context.device.limits.maxStorageBufferBindingSize;
    if (size > most) {
      throw new RangeError(
        `The norms need ${size} bytes, but a binding holds ${most}; reduce more axes, or pass fewer gradients.`,
      );
    }
    if (!this.#partials || this.#partials.size < size) {
      const label = `${this.#context.label} partials`;
      const larger = newBuffer(this.#context, { label, size, usage: STORAGE });
      this.#retire(this.#partials);
      this.#partials = larger;
    }
    return this.#partials;
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

function offsetsOf(values: readonly StepValue[]): NonNullable<Step["offsets"]> {
  return { start: VALUES_AT[values[0] as StepValue], count: VALUE_BYTES * values.length };
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
