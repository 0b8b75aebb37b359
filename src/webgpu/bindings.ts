import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions, Source } from "../options.ts";
import type { Bound } from "../stage.ts";
import { ALIGNMENT, constantBuffer, type DeviceState, filler } from "./device.ts";
import { finishSource, normSource, scaleSource, type Target } from "./kernels.ts";
import { filledApart, filledWithFirst, layoutsOf, pairSlots, slotGroup } from "./layouts.ts";
import type { Kernel } from "./pipelines.ts";
import { type Dispatch, type Plan, planFor, type Window } from "./plan.ts";
import { TABLE_BYTES } from "./table.ts";

/** One dispatch, ready to be recorded. */
export interface Step {
  readonly kernel: Kernel;
  readonly gradients: GPUBindGroup;
  readonly table: GPUBindGroup;
  readonly workgroups: number;
}

export interface BoundBuffers extends Bound {
  readonly norm: readonly Step[];
  readonly finish: { readonly kernel: Kernel; readonly group: GPUBindGroup };
  readonly scale: readonly Step[];
  readonly kernels: readonly Kernel[];
}

/** Everything of a plan that does not depend on which buffers it is for. */
interface Layout {
  readonly tables: GPUBuffer;
  readonly norm: readonly GPUBindGroup[];
  readonly finish: GPUBindGroup;
  readonly scale: readonly GPUBindGroup[];
}

const PARTIAL_BYTES = 32;
const SETTINGS_BYTES = 48;
const NONE = 0xffffffff;
const GIVEN = 0xfffffffe;
const STORAGE = 0x80;
const UNIFORM = 0x40;
/** Engines that pool their tensors come back to a few layouts; what goes is left to the garbage collector, because
 * an encoder that is not submitted yet may still use it. */
const KEPT_LAYOUTS = 32;

/** Makes the bind groups of one clip; scratch, record and settings are shared by all of them. */
export class Bindings {
  readonly #state: DeviceState;
  readonly #record: GPUBuffer;
  readonly #method: ClipMethod;
  readonly #options: CheckedOptions;
  readonly #layouts = new Map<string, Layout>();
  #partials: GPUBuffer | undefined;

  constructor(state: DeviceState, record: GPUBuffer, method: ClipMethod, options: CheckedOptions) {
    this.#state = state;
    this.#record = record;
    this.#method = method;
    this.#options = options;
  }

  bind({ tensors }: TensorList): BoundBuffers {
    const state = this.#state;
    const limits = { ...state, pairSlots: pairSlots(state) };
    const writes = this.#options.apply === "scale" && this.#method.maxNorm !== undefined;
    const plan = planFor(tensors, limits, writes, this.#method.norm.fixedPower);
    const layout = this.#layoutFor(plan);
    const norm = plan.norm.map((dispatch, i) => this.#normStep(dispatch, layout.norm[i] as GPUBindGroup));
    const scale = plan.scale.map((dispatch, i) => this.#scaleStep(dispatch, layout.scale[i] as GPUBindGroup));
    const finish = { kernel: this.#finishKernel(), group: layout.finish };
    const kernels = [...norm, finish, ...scale].map((step) => step.kernel);
    return { norm, finish, scale, kernels };
  }

  destroy(): void {
    this.#partials?.destroy();
    for (const { tables } of this.#layouts.values()) tables.destroy();
  }

  #normStep(dispatch: Dispatch, table: GPUBindGroup): Step {
    const kernel = this.#normKernel(dispatch);
    const read = filledWithFirst(sourcesOf(dispatch), this.#state.slots);
    return {
      kernel,
      gradients: slotGroup(this.#state, kernel.layouts[0], read, []),
      table,
      workgroups: dispatch.workgroups,
    };
  }

  #scaleStep(dispatch: Dispatch, table: GPUBindGroup): Step {
    const kernel = this.#scaleKernel(dispatch);
    const sources = sourcesOf(dispatch);
    const destinations = dispatch.slots.flatMap(({ into }) => (into ? [bindingOf(into)] : []));
    const pairs = pairSlots(this.#state);
    const groups = {
      "in-place": () => ({ read: [], written: filledApart(this.#state, sources, this.#state.slots) }),
      into: () => ({
        read: filledWithFirst(sources, pairs),
        written: filledApart(this.#state, destinations, pairs),
      }),
      shared: () => ({
        read: filledApart(this.#state, sources, pairs),
        written: filledApart(this.#state, destinations, pairs, pairs),
      }),
    };
    const { read, written } = groups[dispatch.target]();
    return {
      kernel,
      gradients: slotGroup(this.#state, kernel.layouts[0], read, written),
      table,
      workgroups: dispatch.workgroups,
    };
  }

  #normKernel({ format }: Dispatch): Kernel {
    const { read, partials } = layoutsOf(this.#state);
    const { slots } = this.#state;
    const { norm } = this.#method;
    return {
      name: `norm ${norm.name} ${format.dtype} ${format.word}`,
      source: () => normSource(format, norm, slots),
      layouts: [read, partials],
    };
  }

  #finishKernel(): Kernel {
    const { finish, bytes } = layoutsOf(this.#state);
    const { rule, norm } = this.#method;
    return {
      name: `finish ${norm.name} ${rule.name}`,
      source: () => finishSource(this.#method),
      layouts: [finish, bytes],
    };
  }

  #scaleKernel({ format, target }: Dispatch): Kernel {
    const { written, readInto, writtenInto, record } = layoutsOf(this.#state);
    const gradients: Record<Target, GPUBindGroupLayout> = { "in-place": written, into: readInto, shared: writtenInto };
    const slots = target === "in-place" ? this.#state.slots : pairSlots(this.#state);
    return {
      name: `scale ${format.dtype} ${format.word} ${target}`,
      source: () => scaleSource(format, target, slots),
      layouts: [gradients[target], record],
    };
  }

  #layoutFor(plan: Plan): Layout {
    const { tables, starts } = tablesOf(plan, this.#settings(plan));
    const key = tables.join();
    const layout = this.#layouts.get(key) ?? this.#makeLayout(plan, tables, starts);
    this.#layouts.delete(key);
    this.#layouts.set(key, layout);
    if (this.#layouts.size > KEPT_LAYOUTS) this.#layouts.delete(this.#layouts.keys().next().value as string);
    return layout;
  }

  #makeLayout(plan: Plan, contents: Uint32Array, starts: readonly number[]): Layout {
    const { device, label } = this.#state;
    const layouts = layoutsOf(this.#state);
    const tables = constantBuffer(this.#state, "tables", UNIFORM, contents.byteLength, (words) => words.set(contents));
    const partials = this.#partialsFor(plan.partialCount);
    const group = (layout: GPUBindGroupLayout, resources: readonly GPUBufferBinding[]) =>
      device.createBindGroup({
        label: `${label} tables`,
        layout,
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
    const table = (i: number) => ({ buffer: tables, offset: starts[i], size: TABLE_BYTES });
    const { gradScale, totalNorm } = this.#options;
    return {
      tables,
      norm: plan.norm.map((_, i) => group(layouts.partials, [table(i), { buffer: partials }])),
      scale: plan.scale.map((_, i) => group(layouts.record, [table(plan.norm.length + i), { buffer: this.#record }])),
      finish: group(layouts.finish, [
        { buffer: partials },
        { buffer: this.#record },
        this.#sourceBinding(gradScale),
        this.#sourceBinding(totalNorm),
        { buffer: tables, size: SETTINGS_BYTES },
      ]),
    };
  }

  /** Grows with the plan; what it replaces may still be in an encoder and is left to the garbage collector. */
  #partialsFor(count: number): GPUBuffer {
    const size = PARTIAL_BYTES * Math.max(count, this.#state.grid.norm);
    if (!this.#partials || this.#partials.size < size) {
      const label = `${this.#state.label} partials`;
      this.#partials = this.#state.device.createBuffer({ label, size, usage: STORAGE });
    }
    return this.#partials;
  }

  #settings(plan: Plan): Uint32Array {
    const { nonFinite, gradScale, totalNorm } = this.#options;
    const settings = new Uint32Array(SETTINGS_BYTES / 4);
    const wordOf = (source: Source) => (source.byteOffset % ALIGNMENT) / 4;
    settings[0] = plan.partialCount;
    settings[1] = ["zero", "keep", "propagate"].indexOf(nonFinite);
    settings[2] = typeof gradScale === "number" ? NONE : wordOf(gradScale);
    settings[3] = totalNorm === undefined ? NONE : typeof totalNorm === "number" ? GIVEN : wordOf(totalNorm);
    if (typeof totalNorm === "number") settings.set(wideOf(totalNorm), 4);
    settings[7] = this.#method.norm.fixedPower;
    settings.set(wideOf(this.#method.eps ?? 0).slice(0, 2), 8);
    return settings;
  }

  #sourceBinding(source: number | Source | undefined): GPUBufferBinding {
    if (typeof source !== "object") return { buffer: filler(this.#state), size: 4 };
    const offset = source.byteOffset - (source.byteOffset % ALIGNMENT);
    return { buffer: source.buffer, offset, size: source.byteOffset + 4 - offset };
  }
}

function bindingOf({ memory, offset, size }: Window): GPUBufferBinding {
  return { buffer: memory, offset, size };
}

function sourcesOf(dispatch: Dispatch): GPUBufferBinding[] {
  return dispatch.slots.map((slot) => bindingOf(slot.source));
}

/** The settings, then the table of every dispatch, each on 256 bytes; the last has room for what a binding spans. */
function tablesOf(plan: Plan, settings: Uint32Array): { tables: Uint32Array; starts: number[] } {
  const used = [...plan.norm, ...plan.scale].map(({ table }) => table);
  const starts: number[] = [];
  let next = ALIGNMENT;
  for (const table of used) {
    starts.push(next);
    next += Math.ceil(table.byteLength / ALIGNMENT) * ALIGNMENT;
  }
  const tables = new Uint32Array((next + TABLE_BYTES) / 4);
  tables.set(settings);
  for (const [i, table] of used.entries()) tables.set(table, (starts[i] as number) / 4);
  return { tables, starts };
}

/** mantissa, exponent and non-finite flags, as finish.wgsl takes them: a Wide of 24 bits. */
function wideOf(norm: number): [number, number, number] {
  if (Number.isNaN(norm)) return [0, 0, 4];
  if (norm === Infinity) return [0, 0, 8];
  if (norm === 0) return [0, 0, 0];
  let exponent = Math.floor(Math.log2(norm)) - 31;
  let mantissa = Math.fround(norm * 2 ** -exponent);
  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 2;
  for (; mantissa < 2 ** 31; exponent--) mantissa *= 2;
  return [mantissa, exponent, 0];
}
