import type { Tensor, TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions, Source } from "../options.ts";
import { ENTRY_BYTES } from "../record.ts";
import type { Bound } from "../stage.ts";
import { ALIGNMENT, constantBuffer, type DeviceState, filler } from "./device.ts";
import { groupFacts } from "./groups.ts";
import { finishGroupsSource, finishSource, normSource, scaleSource, type Target } from "./kernels.ts";
import { filledApart, filledWithFirst, layoutsOf, pairSlots, slotGroup } from "./layouts.ts";
import type { Kernel } from "./pipelines.ts";
import { type Dispatch, type Plan, planFor, type Window } from "./plan.ts";
import { TABLE_BYTES } from "./table.ts";

/** One dispatch, ready to be recorded. */
export interface Step {
  readonly kernel: Kernel;
  readonly first: GPUBindGroup;
  /** Undefined: the group of the values of the step. */
  readonly second?: GPUBindGroup;
  readonly workgroups: number;
}

export interface BoundBuffers extends Bound {
  readonly steps: readonly Step[];
}

/** Everything of a plan that does not depend on which buffers it is for. */
interface Layout {
  readonly tables: GPUBuffer;
  readonly norm: readonly GPUBindGroup[];
  readonly finishGroups?: GPUBindGroup;
  readonly finish: GPUBindGroup;
  readonly scale: readonly GPUBindGroup[];
}

const PARTIAL_BYTES = 32;
const GROUPS_A_WORKGROUP = 8;
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
  /** One for each group, where there are several norms. */
  readonly entries: GPUBuffer | undefined;
  readonly #memory: GPUBuffer | undefined;
  readonly method: ClipMethod;
  readonly #options: CheckedOptions;
  readonly #layouts = new Map<string, Layout>();
  #partials: GPUBuffer | undefined;

  constructor(
    state: DeviceState,
    record: GPUBuffer,
    entries: GPUBuffer | undefined,
    memory: GPUBuffer | undefined,
    method: ClipMethod,
    options: CheckedOptions,
  ) {
    this.#state = state;
    this.#record = record;
    this.entries = entries;
    this.#memory = memory;
    this.method = method;
    this.#options = options;
  }

  get #groupCount(): number {
    return this.entries ? this.entries.size / ENTRY_BYTES : 1;
  }

  bind({ tensors }: TensorList): BoundBuffers {
    const state = this.#state;
    const { method } = this;
    const writes = this.#options.apply === "scale" && method.maxNorm !== undefined;
    const task = { grouping: method.grouping, writes, power: method.norm.fixedPower };
    const plan = planFor(tensors, { ...state, pairSlots: pairSlots(state) }, task);
    const layout = this.#layoutFor(plan, tensors);
    const { finishGroups } = layout;
    const steps = [
      ...plan.norm.map((dispatch, i) => this.#normStep(dispatch, layout.norm[i])),
      ...(finishGroups ? [this.#finishGroupsStep(finishGroups)] : []),
      { kernel: this.#finishKernel(), first: layout.finish, workgroups: 1 },
      ...plan.scale.map((dispatch, i) => this.#scaleStep(dispatch, layout.scale[i])),
    ];
    return { steps };
  }

  destroy(): void {
    this.#partials?.destroy();
    for (const { tables } of this.#layouts.values()) tables.destroy();
  }

  #normStep(dispatch: Dispatch, second: GPUBindGroup | undefined): Step {
    const kernel = this.#normKernel(dispatch);
    const read = filledWithFirst(sourcesOf(dispatch), this.#state.slots);
    const first = slotGroup(this.#state, kernel.layouts[0], read, []);
    return { kernel, first, second, workgroups: dispatch.workgroups };
  }

  #finishGroupsStep(first: GPUBindGroup): Step {
    const { finishGroups, bytes } = layoutsOf(this.#state);
    const { rule, norm } = this.method;
    const kernel: Kernel = {
      name: `finish groups ${norm.name} ${rule.name}`,
      source: () => finishGroupsSource(this.method),
      layouts: [finishGroups, bytes],
    };
    return { kernel, first, workgroups: Math.ceil(this.#groupCount / GROUPS_A_WORKGROUP) };
  }

  #scaleStep(dispatch: Dispatch, second: GPUBindGroup | undefined): Step {
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
    const first = slotGroup(this.#state, kernel.layouts[0], read, written);
    return { kernel, first, second, workgroups: dispatch.workgroups };
  }

  #normKernel({ format }: Dispatch): Kernel {
    const { read, partials } = layoutsOf(this.#state);
    const { slots } = this.#state;
    const { norm } = this.method;
    return {
      name: `norm ${norm.name} ${format.dtype} ${format.word}`,
      source: () => normSource(format, norm, slots),
      layouts: [read, partials],
    };
  }

  #finishKernel(): Kernel {
    const { rule, norm } = this.method;
    return {
      name: `finish ${norm.name} ${rule.name}`,
      source: () => finishSource(this.method),
      layouts: [this.#finishLayout(), layoutsOf(this.#state).bytes],
    };
  }

  #finishLayout(): GPUBindGroupLayout {
    const { finish, finishWithMemory } = layoutsOf(this.#state);
    return this.#memory ? finishWithMemory : finish;
  }

  #scaleKernel({ format, target }: Dispatch): Kernel {
    const { written, readInto, writtenInto, record, entries } = layoutsOf(this.#state);
    const gradients: Record<Target, GPUBindGroupLayout> = { "in-place": written, into: readInto, shared: writtenInto };
    const slots = target === "in-place" ? this.#state.slots : pairSlots(this.#state);
    const grouped = this.entries !== undefined;
    return {
      name: `scale ${grouped ? "groups " : ""}${format.dtype} ${format.word} ${target}`,
      source: () => scaleSource(format, target, grouped, slots),
      layouts: [gradients[target], grouped ? entries : record],
    };
  }

  #layoutFor(plan: Plan, tensors: readonly Tensor[]): Layout {
    const groups = this.entries ? groupFacts(plan, tensors, this.method, this.#groupCount) : new Uint32Array();
    const packed = packedTables([this.#settings(plan), groups, ...[...plan.norm, ...plan.scale].map((d) => d.table)]);
    const key = packed.words.join();
    const layout = this.#layouts.get(key) ?? this.#makeLayout(plan, packed);
    this.#layouts.delete(key);
    this.#layouts.set(key, layout);
    if (this.#layouts.size > KEPT_LAYOUTS) this.#layouts.delete(this.#layouts.keys().next().value as string);
    return layout;
  }

  #makeLayout(plan: Plan, { words, starts }: PackedTables): Layout {
    const state = this.#state;
    const layouts = layoutsOf(state);
    const tables = constantBuffer(state, "tables", UNIFORM | STORAGE, words.byteLength, (mapped) => mapped.set(words));
    const partials = { buffer: this.#partialsFor(plan.partialCount) };
    const group = (layout: GPUBindGroupLayout, resources: readonly GPUBufferBinding[]) =>
      state.device.createBindGroup({
        label: `${state.label} tables`,
        layout,
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
    const table = (i: number) => ({ buffer: tables, offset: starts[2 + i] as number, size: TABLE_BYTES });
    const sources = [this.#sourceBinding(this.#options.gradScale), this.#sourceBinding(this.#options.totalNorm)];
    const settings = { buffer: tables, size: SETTINGS_BYTES };
    const record = { buffer: this.#record };
    const entries = this.entries && { buffer: this.entries };
    const memory = this.#memory ? [{ buffer: this.#memory }] : [];
    const scaleLayout = entries ? layouts.entries : layouts.record;
    const groups = { buffer: tables, offset: starts[1] as number };
    return {
      tables,
      norm: plan.norm.map((_, i) => group(layouts.partials, [table(i), partials])),
      finishGroups: entries && group(layouts.finishGroups, [partials, entries, ...sources, settings, groups]),
      finish: group(this.#finishLayout(), [partials, record, ...sources, settings, ...memory]),
      scale: plan.scale.map((_, i) => group(scaleLayout, [table(plan.norm.length + i), entries ?? record])),
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
    settings[7] = this.method.norm.fixedPower;
    settings.set(wideOf(this.method.eps ?? 0).slice(0, 2), 8);
    settings[10] = this.entries ? this.#groupCount : 0;
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
  const words = new Uint32Array((next + TABLE_BYTES) / 4);
  for (const [i, table] of tables.entries()) words.set(table, (starts[i] as number) / 4);
  return { words, starts };
}

/** mantissa, exponent and non-finite flags, as finish.wgsl takes them: a Wide of 24 bits. */
function wideOf(norm: number): [number, number, number] {
  if (Number.isNaN(norm)) return [0, 0, 4];
  if (norm === Infinity) return [0, 0, 8];
  // No bound is near to so small a norm.
  if (norm < 2 ** -900) return [0, 0, 0];
  let exponent = Math.floor(Math.log2(norm)) - 31;
  let mantissa = Math.fround(norm * 2 ** -exponent);
  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 2;
  for (; mantissa < 2 ** 31; exponent--) mantissa *= 2;
  return [mantissa, exponent, 0];
}
