import type { Tensor, TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions, Source } from "../options.ts";
import { ENTRY_BYTES } from "../record.ts";
import type { Bound } from "../stage.ts";
import { ALIGNMENT, byteTable, constantBuffer, type DeviceState, filler } from "./device.ts";
import { bundleTable, groupRounds } from "./groups.ts";
import { type BindingType, capacityOf, layoutOf, slotGroup } from "./layouts.ts";
import type { Kernel } from "./pipelines.ts";
import { type Dispatch, type Plan, planFor } from "./plan.ts";
import { SETTINGS_BYTES, settingsOf, sourceIndex } from "./settings.ts";
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
  readonly values?: { readonly start: number; readonly count: number };
  readonly workgroups: number;
}

export interface BoundBuffers extends Bound {
  readonly steps: readonly Step[];
}

/** Everything of a plan that does not depend on which buffers it is for. */
interface Layout {
  readonly tables: GPUBuffer;
  /** Group 1 of norm's dispatches, then of scale's. */
  readonly dispatches: readonly GPUBindGroup[];
  readonly finishGroups?: GPUBindGroup;
  readonly finish: GPUBindGroup;
}

const PARTIAL_BYTES = 32;
const STORAGE = 0x80;
const UNIFORM = 0x40;
const ALL_VALUES = { start: 0, count: 8 };
const GRAD_SCALE = { start: 4, count: 4 };
/** Engines that pool their tensors come back to a few layouts; what goes is left to the garbage collector, because
 * an encoder that is not submitted yet may still use it. */
const KEPT_LAYOUTS = 32;

/** What a clip has on the GPU, whatever gradients it is for. */
export interface ClipBuffers {
  readonly record: GPUBuffer;
  /** One for each group, where there are several norms. */
  readonly entries: GPUBuffer | undefined;
  readonly memory: GPUBuffer | undefined;
}

/** Makes the bind groups of one clip; scratch, record and settings are shared by all of them. */
export class Bindings {
  readonly #state: DeviceState;
  readonly #buffers: ClipBuffers;
  readonly #method: ClipMethod;
  readonly #options: CheckedOptions;
  readonly #values: GPUBindGroup;
  readonly #layouts = new Map<string, Layout>();
  #partials: GPUBuffer | undefined;

  constructor(state: DeviceState, buffers: ClipBuffers, method: ClipMethod, options: CheckedOptions) {
    this.#state = state;
    this.#buffers = buffers;
    this.#method = method;
    this.#options = options;
    this.#values = this.#group("values", VALUE_TYPES, this.#bytes(8));
  }

  get #groupCount(): number {
    return this.#buffers.entries ? this.#buffers.entries.size / ENTRY_BYTES : 0;
  }

  bind({ tensors }: TensorList): BoundBuffers {
    const state = this.#state;
    const plan = this.#planFor(tensors);
    const layout = this.#layoutFor(plan);
    const steps = [...plan.norm, ...plan.scale].map((dispatch, i): Step => {
      const kernel = kernelFor(state, this.#method, dispatch);
      const second = layout.dispatches[i] as GPUBindGroup;
      const values = dispatch.pass === "clamp" ? GRAD_SCALE : undefined;
      return { kernel, first: slotGroup(state, dispatch), second, values, workgroups: dispatch.workgroups };
    });
    return { steps: [...steps.slice(0, plan.norm.length), ...this.#finish(layout), ...steps.slice(plan.norm.length)] };
  }

  destroy(): void {
    this.#partials?.destroy();
    for (const { tables } of this.#layouts.values()) tables.destroy();
  }

  #planFor(tensors: readonly Tensor[]): Plan {
    const { grouping, maxNorm, norm, clamp, sum } = this.#method;
    const limits = (pass: Dispatch["pass"]) => ({ ...this.#state, ...capacityOf(this.#state, pass) });
    if (clamp) {
      refuseGradScaleAmong(tensors, this.#options.gradScale);
      return clamp.plan(tensors, limits("clamp"), clamp, sourceIndex(this.#options.gradScale));
    }
    const writes = this.#options.apply === "scale" && maxNorm !== undefined && sum === undefined;
    const plan = planFor(tensors, limits("norm"), { grouping, writes, power: norm.fixedPower });
    return sum ? { ...plan, scale: sum.plan(tensors, limits("sum examples"), sum.examples) } : plan;
  }

  #finish({ finishGroups, finish }: Layout): Step[] {
    const common = { second: this.#values, values: ALL_VALUES };
    const { workgroups } = groupRounds(this.#groupCount);
    const kernel = finishGroupsKernel(this.#state, this.#method);
    return [
      ...(finishGroups ? [{ ...common, kernel, first: finishGroups, workgroups }] : []),
      { ...common, kernel: finishKernel(this.#state, this.#method), first: finish, workgroups: 1 },
    ];
  }

  #layoutFor(plan: Plan): Layout {
    const dispatches = [...plan.norm, ...plan.scale];
    const packed = packedTables([
      settingsOf(plan, this.#method, this.#options, this.#groupCount),
      bundleTable(plan, this.#method),
      ...dispatches.flatMap(({ table, shapes }) => (shapes ? [table, shapes] : [table])),
    ]);
    const key = packed.words.join();
    const layout = this.#layouts.get(key) ?? this.#makeLayout(plan, packed);
    this.#layouts.delete(key);
    this.#layouts.set(key, layout);
    if (this.#layouts.size > KEPT_LAYOUTS) this.#layouts.delete(this.#layouts.keys().next().value as string);
    return layout;
  }

  #makeLayout(plan: Plan, { words, starts }: PackedTables): Layout {
    const method = this.#method;
    const { record, entries, memory } = this.#buffers;
    const usage = UNIFORM | STORAGE;
    const tables = constantBuffer(this.#state, "tables", usage, words.byteLength, (mapped) => mapped.set(words));
    const partials = this.#partialsFor(plan);
    let next = 2;
    const dispatches = [...plan.norm, ...plan.scale].map((dispatch) => {
      const resources = [{ buffer: tables, offset: starts[next++] as number, size: TABLE_BYTES }];
      const shapes = dispatch.shapes ? [{ buffer: tables, offset: starts[next++] as number, size: SHAPES_BYTES }] : [];
      const rest = this.#resourcesOf(dispatch, partials, tables, shapes);
      return this.#group("tables", tableTypes(method, dispatch.pass), [...resources, ...rest]);
    });
    const sources = [this.#sourceBinding(this.#options.gradScale), this.#sourceBinding(this.#options.totalNorm)];
    const common = [{ buffer: partials }, ...sources, { buffer: tables, size: SETTINGS_BYTES }];
    const finish = (second: GPUBuffer, last: readonly GPUBufferBinding[]) => [
      ...common.slice(0, 1),
      { buffer: second },
      ...common.slice(1),
      ...last,
    ];
    const bundles = { buffer: tables, offset: starts[1] as number };
    return {
      tables,
      dispatches,
      finishGroups: entries && this.#group("finish groups", FINISH_GROUPS_TYPES, finish(entries, [bundles])),
      finish: this.#group("finish", finishTypes(method), finish(record, memory ? [{ buffer: memory }] : [])),
    };
  }

  /** What tableTypes lists after the table. */
  #resourcesOf(
    { pass }: Dispatch,
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
    return this.#state.device.createBindGroup({
      label: `${this.#state.label} ${name}`,
      layout: layoutOf(this.#state, types),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
  }

  #bytes(count: number): GPUBufferBinding[] {
    return Array.from({ length: count }, () => ({ buffer: byteTable(this.#state), size: 16 }));
  }

  /** Grows with the plan; what it replaces may still be in an encoder and is left to the garbage collector. */
  #partialsFor({ partialCount, parameterPartialCount }: Plan): GPUBuffer {
    const count = partialCount + parameterPartialCount + groupRounds(this.#groupCount).workgroups;
    const size = PARTIAL_BYTES * Math.max(count, this.#state.grid.norm);
    if (!this.#partials || this.#partials.size < size) {
      const label = `${this.#state.label} partials`;
      this.#partials = this.#state.device.createBuffer({ label, size, usage: STORAGE });
    }
    return this.#partials;
  }

  #sourceBinding(source: number | Source | undefined): GPUBufferBinding {
    if (typeof source !== "object") return { buffer: filler(this.#state), size: 4 };
    const offset = source.byteOffset - (source.byteOffset % ALIGNMENT);
    return { buffer: source.buffer, offset, size: source.byteOffset + 4 - offset };
  }
}

/** A dispatch cannot read a buffer that it writes. */
function refuseGradScaleAmong(tensors: readonly Tensor[], gradScale: number | Source): void {
  if (typeof gradScale === "number") return;
  const tensor = tensors.find(({ source, into }) => [source.memory, into?.memory].includes(gradScale.buffer));
  if (!tensor) return;
  throw new RangeError(
    `options.gradScale is in the buffer of ${tensor.label}, which is written in the pass that reads it; put it into a buffer of its own.`,
  );
}

interface PackedTables {
  readonly words: Uint32Array;
  /** In bytes. */
  readonly starts: readonly number[];
}

/** One after the other, each on 256 bytes; the last has room for what a binding spans. */
function packedTables(tables: readonly Uint32Array[]): PackedTables {
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
