import type { Prepared } from "../backend.ts";
import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions, Source } from "../options.ts";
import type { Range } from "../ranges.ts";
import { Recent } from "../recent.ts";
import { ENTRY_BYTES } from "../record.ts";
import type { Tensor } from "../view.ts";
import { ALIGNMENT, byteTable, constantBuffer, type DeviceContext, newBuffer, placeholder } from "./device.ts";
import { bundleTable, groupRounds } from "./groups.ts";
import { type BindingType, capacityOf, layoutOf, slotGroup } from "./layouts.ts";
import type { Kernel } from "./pipelines.ts";
import { type Dispatch, type Plan, planFor } from "./plan.ts";
import { SETTINGS_BYTES, settingsOf, sourceIndex } from "./settings.ts";
import type { BufferSlot, BufferWindow } from "./slots.ts";
import { TABLE_BYTES } from "./table.ts";
import { SHAPES_BYTES } from "./unitShapes.ts";
import {
  FINISH_GROUPS_TYPES,
  finishGroupsKernel,
  finishKernel,
  finishTypes,
  kernelFor,
  tableTypes,
  VALUE_TYPES,
} from "./variants.ts";

/** One dispatch, ready to be recorded. */
export interface Step {
  readonly kernel: Kernel;
  readonly first: GPUBindGroup;
  readonly second: GPUBindGroup;
  /** Which bytes of the values of the step the second group takes. */
  readonly offsets?: { readonly start: number; readonly count: number };
  readonly workgroups: number;
}

export interface PreparedBuffers extends Prepared {
  readonly steps: readonly Step[];
}

/** Everything of a plan that does not depend on which buffers it is for. */
interface Layout {
  readonly tables: GPUBuffer;
  /** What comes before finish, and what after. */
  readonly norm: readonly Recipe[];
  readonly scale: readonly Recipe[];
  readonly finish: readonly Step[];
}

/** A dispatch that lacks only its buffers. */
interface Recipe {
  readonly kernel: Kernel;
  readonly pass: Dispatch["pass"];
  readonly target: Dispatch["target"];
  readonly slots: readonly BufferSlot<number>[];
  readonly second: GPUBindGroup;
  readonly workgroups: number;
}

const PARTIAL_BYTES = 32;
const STORAGE = 0x80;
const UNIFORM = 0x40;
const ALL_VALUES = { start: 0, count: 8 };
const GRAD_SCALE = { start: 4, count: 4 };
/** Engines that pool their tensors come back to a few layouts. */
const KEPT_LAYOUTS = 32;

/** What a clip has on the GPU, whatever gradients it is for. */
export interface ClipBuffers {
  readonly record: GPUBuffer;
  /** One for each group, where there are several norms. */
  readonly entries: GPUBuffer | undefined;
  readonly ruleState: GPUBuffer | undefined;
}

/** Makes the bind groups of one clip; scratch, record and settings are shared by all of them. */
export class Bindings {
  readonly #context: DeviceContext;
  readonly #buffers: ClipBuffers;
  readonly #method: ClipMethod;
  readonly #options: CheckedOptions;
  readonly #values: GPUBindGroup;
  readonly #layouts = new Recent<Layout>(KEPT_LAYOUTS, ({ tables }) => this.#retire(tables));
  #partials: GPUBuffer | undefined;
  #retired: WeakRef<GPUBuffer>[] = [];

  constructor(context: DeviceContext, buffers: ClipBuffers, method: ClipMethod, options: CheckedOptions) {
    this.#context = context;
    this.#buffers = buffers;
    this.#method = method;
    this.#options = options;
    this.#values = this.#group("values", VALUE_TYPES, this.#bytes(8));
  }

  get #groupCount(): number {
    return this.#buffers.entries ? this.#buffers.entries.size / ENTRY_BYTES : 0;
  }

  bind({ tensors }: TensorList): PreparedBuffers {
    const { buffers, structure } = placesOf(tensors);
    if (this.#method.clamp) refuseGradScaleAmong(tensors, this.#options.gradScale);
    const { norm, finish, scale } = this.#layoutFor(structure, tensors, buffers);
    const step = ({ kernel, pass, target, slots, second, workgroups }: Recipe): Step => ({
      kernel,
      first: slotGroup(
        this.#context,
        pass,
        target,
        withBuffers(slots, (ordinal) => buffers[ordinal] as GPUBuffer),
      ),
      second,
      offsets: pass === "clamp" ? GRAD_SCALE : undefined,
      workgroups,
    });
    return { steps: [...norm.map(step), ...finish, ...scale.map(step)] };
  }

  destroy(): void {
    this.#partials?.destroy();
    for (const { tables } of this.#layouts.values()) tables.destroy();
    for (const retired of this.#retired) retired.deref()?.destroy();
  }

  /** An encoder that is not submitted yet may still use it: it goes with the clip, or before that with the garbage. */
  #retire(buffer: GPUBuffer | undefined): void {
    this.#retired = this.#retired.filter((retired) => retired.deref());
    if (buffer) this.#retired.push(new WeakRef(buffer));
  }

  #planFor(tensors: readonly Tensor[]): Plan {
    const { grouping, maxNorm, norm, clamp, sum, usesParameters = false } = this.#method;
    const limits = (pass: Dispatch["pass"]) => ({ ...this.#context, ...capacityOf(this.#context, pass) });
    if (clamp) {
      return clamp.plan(tensors, limits("clamp"), clamp, sourceIndex(this.#options.gradScale));
    }
    const writes = this.#options.apply === "scale" && maxNorm !== undefined && sum === undefined;
    const task = { grouping, writes, parameters: usesParameters, power: norm.fixedPower };
    const plan = planFor(tensors, limits("norm"), task);
    return sum ? { ...plan, scale: sum.plan(tensors, limits("sum examples"), sum.examples) } : plan;
  }

  #layoutFor(structure: string, tensors: readonly Tensor[], buffers: readonly GPUBuffer[]): Layout {
    return this.#layouts.get(structure, () => this.#makeLayout(this.#planFor(tensors), buffers));
  }

  #makeLayout(plan: Plan, buffers: readonly GPUBuffer[]): Layout {
    const dispatches = [...plan.norm, ...plan.scale];
    const { words, starts } = packedTables([
      settingsOf(plan, this.#method, this.#options, this.#groupCount),
      bundleTable(plan, this.#method),
      ...dispatches.flatMap(({ table, shapes }) => (shapes ? [table, shapes] : [table])),
    ]);
    const partials = this.#partialsFor(plan);
    const usage = UNIFORM | STORAGE;
    const tables = constantBuffer(this.#context, "tables", usage, words.byteLength, (mapped) => mapped.set(words));
    try {
      return this.#layoutWith(tables, starts, partials, plan, buffers);
    } catch (error) {
      tables.destroy();
      throw error;
    }
  }

  #layoutWith(
    tables: GPUBuffer,
    starts: readonly number[],
    partials: GPUBuffer,
    plan: Plan,
    buffers: readonly GPUBuffer[],
  ): Layout {
    let next = 2;
    const recipe = (dispatch: Dispatch): Recipe => {
      const { pass, target, slots, workgroups } = dispatch;
      const table = { buffer: tables, offset: starts[next++] as number, size: TABLE_BYTES };
      const shapes = dispatch.shapes ? [{ buffer: tables, offset: starts[next++] as number, size: SHAPES_BYTES }] : [];
      const resources = [table, ...this.#resourcesOf(pass, partials, tables, shapes)];
      return {
        kernel: kernelFor(this.#context, this.#method, dispatch),
        pass,
        target,
        slots: withBuffers(slots, (buffer) => buffers.indexOf(buffer)),
        second: this.#group("tables", tableTypes(this.#method, pass), resources),
        workgroups,
      };
    };
    const [norm, scale] = [plan.norm.map(recipe), plan.scale.map(recipe)];
    return { tables, norm, scale, finish: this.#finish(partials, tables, starts[1] as number) };
  }

  #finish(partials: GPUBuffer, tables: GPUBuffer, bundlesAt: number): Step[] {
    const { record, entries, ruleState: buffer } = this.#buffers;
    const sources = [this.#sourceBinding(this.#options.gradScale), this.#sourceBinding(this.#options.totalNorm)];
    const common = { second: this.#values, offsets: ALL_VALUES };
    const resources = (target: GPUBuffer, last: readonly GPUBufferBinding[]) => [
      { buffer: partials },
      { buffer: target },
      ...sources,
      { buffer: tables, size: SETTINGS_BYTES },
      ...last,
    ];
    const all = resources(record, buffer ? [{ buffer }] : []);
    const finish = {
      ...common,
      kernel: finishKernel(this.#context, this.#method),
      first: this.#group("finish", finishTypes(this.#method), all),
      workgroups: 1,
    };
    if (!entries) return [finish];
    const each = resources(entries, [{ buffer: tables, offset: bundlesAt }]);
    const kernel = finishGroupsKernel(this.#context, this.#method);
    const first = this.#group("finish groups", FINISH_GROUPS_TYPES, each);
    return [{ ...common, kernel, first, workgroups: groupRounds(this.#groupCount).workgroups }, finish];
  }

  /** What tableTypes lists after the table. */
  #resourcesOf(
    pass: Dispatch["pass"],
    partials: GPUBuffer,
    tables: GPUBuffer,
    shapes: readonly GPUBufferBinding[],
  ): GPUBufferBinding[] {
    const { record, entries } = this.#buffers;
    const { gradScale } = this.#options;
    if (pass === "norm") return [{ buffer: partials }];
    if (pass === "unit norm") return [{ buffer: partials }, ...shapes];
    if (pass === "scale") return [{ buffer: entries ?? record }, ...shapes];
    if (pass === "sum examples") return [{ buffer: entries as GPUBuffer }];
    // The filler may be among what is written.
    const source = typeof gradScale === "number" ? { buffer: tables, size: 4 } : this.#sourceBinding(gradScale);
    return [{ buffer: partials }, source, ...this.#bytes(4)];
  }

  #group(name: string, types: readonly BindingType[], resources: readonly GPUBufferBinding[]): GPUBindGroup {
    return this.#context.device.createBindGroup({
      label: `${this.#context.label} ${name}`,
      layout: layoutOf(this.#context, types),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
  }

  #bytes(count: number): GPUBufferBinding[] {
    return Array.from({ length: count }, () => ({ buffer: byteTable(this.#context), size: 16 }));
  }

  /** Grows with the plan. */
  #partialsFor({ partialCount, parameterPartialCount }: Plan): GPUBuffer {
    const count = partialCount + parameterPartialCount + groupRounds(this.#groupCount).workgroups;
    const size = PARTIAL_BYTES * Math.max(count, this.#context.grid.normWorkgroups);
    const most = this.#context.device.limits.maxStorageBufferBindingSize;
    if (size > most) {
      throw new RangeError(
        `The norms need ${size} bytes of scratch, but a binding of the device holds ${most}; reduce more axes, or pass fewer gradients.`,
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
    const offset = source.byteOffset - (source.byteOffset % ALIGNMENT);
    return { buffer: source.buffer, offset, size: source.byteOffset + 4 - offset };
  }
}

/**
 * The buffers of a list, and what a plan depends on besides: equal for lists whose gradients lie alike in other buffers, as
 * engines with pooled tensors bring them each step. Such a list takes no planning, only bind groups.
 */
function placesOf(tensors: readonly Tensor[]): { buffers: GPUBuffer[]; structure: string } {
  const ordinals = new Map<Range["buffer"], number>();
  const place = (range: Range | undefined) => {
    if (!range) return "";
    const { buffer, byteOffset } = range;
    const ordinal = ordinals.get(buffer) ?? ordinals.size;
    ordinals.set(buffer, ordinal);
    return `${ordinal}@${byteOffset}/${(buffer as GPUBuffer).size}`;
  };
  const structure = tensors.map(({ length, dtype, shape, source, into, parameter }) =>
    [length, dtype, shape, place(source), place(into), place(parameter?.source), parameter?.dtype].join(" "),
  );
  return { buffers: [...ordinals.keys()] as GPUBuffer[], structure: structure.join() };
}

function withBuffers<A, B>(slots: readonly BufferSlot<A>[], of: (buffer: A) => B): BufferSlot<B>[] {
  const moved = ({ buffer, offset, size }: BufferWindow<A>) => ({ buffer: of(buffer), offset, size });
  return slots.map(({ source, into }) => ({ source: moved(source), into: into && moved(into) }));
}

/** A dispatch cannot read a buffer that it writes. */
function refuseGradScaleAmong(tensors: readonly Tensor[], gradScale: number | Source): void {
  if (typeof gradScale === "number") return;
  const tensor = tensors.find(({ source, into }) => [source.buffer, into?.buffer].includes(gradScale.buffer));
  if (!tensor) return;
  throw new RangeError(
    `options.gradScale is in the buffer of ${tensor.label}, which is written in the pass that reads it; put it into a buffer of its own.`,
  );
}

/** One after the other, each on 256 bytes; the last has room for what a binding spans. Starts are in bytes. */
function packedTables(tables: readonly Uint32Array[]): { words: Uint32Array; starts: number[] } {
  const starts: number[] = [];
  let next = 0;
  for (const table of tables) {
    starts.push(next);
    next += Math.ceil(table.byteLength / ALIGNMENT) * ALIGNMENT;
  }
  const words = new Uint32Array((next + Math.max(TABLE_BYTES, SHAPES_BYTES)) / 4);
  for (const [i, table] of tables.entries()) words.set(table, (starts[i] as number) / 4);
  return { words, starts };
}
