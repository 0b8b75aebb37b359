import type { ClipBackend, Kept, Prepared, StepValues, StoredState } from "../backend.ts";
import { wrongValue } from "../check.ts";
import { DeviceLostError } from "../errors.ts";
import type { TensorList } from "../gradients.ts";
import { HISTORY_WORDS } from "../history.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { groupCount } from "../pieces.ts";
import { ENTRY_BYTES, RECORD_BYTES } from "../record.ts";
import type { Remembered } from "../remembered.ts";
import { COPY_DST, COPY_SRC, STORAGE, UNIFORM } from "../usage.ts";
import type { Tensor } from "../view.ts";
import { constantBuffer, type DeviceContext, newBuffer, refuseBeyond } from "./device.ts";
import { type Fault, Faults, faultError, givenBuffers, refusedAmong, watched } from "./faults.ts";
import { VALUE_BYTES } from "./passes/pass.ts";
import { compile, ignoreRejection, type Kernel, pipelineNow } from "./pipelines.ts";
import { readBack } from "./readBack.ts";
import { Bindings, type Step } from "./recording.ts";
import { pieceElementsOf } from "./segments.ts";

const RECORD_USAGE = STORAGE | UNIFORM | COPY_SRC;
const STATE_USAGE = STORAGE | COPY_SRC | COPY_DST;

/** Records the passes on the GPU and never waits for them. */
export function webgpuBackend(
  context: DeviceContext,
  label: string,
  method: ClipMethod,
  options: CheckedOptions,
  list: TensorList,
  kept: Kept = {},
): ClipBackend {
  return new WebGPUBackend(context, `${label} ${method.name}`, method, options, list, kept);
}

/** The steps for some gradients, and the gradients themselves: an error names the one that is at fault. */
interface PreparedBuffers {
  readonly steps: readonly Step[];
  readonly tensors: readonly Tensor[];
}

class WebGPUBackend implements ClipBackend {
  readonly kept: Kept;
  readonly record: GPUBuffer;
  readonly scales: GPUBuffer | undefined;
  readonly state?: StoredState;
  readonly pieceElements: number;
  readonly #tensorNorms: GPUBuffer | undefined;
  readonly #context: DeviceContext;
  readonly #label: string;
  readonly #bindings: Bindings;
  readonly #byteOffsets = new Uint32Array(VALUE_BYTES);
  /** By ValuesFrom, as separate arrays: bun-webgpu 0.1.7 ignores start and count. */
  readonly #offsetsFrom = { 0: this.#byteOffsets, 4: this.#byteOffsets.subarray(4) };
  readonly #options: CheckedOptions;
  readonly #faults = new Faults();
  readonly #compiled = new Set<Promise<void>>();
  readonly owned = new Set<GPUBuffer>();
  /** Of the history, which ends the memory. */
  readonly #historyBytes: number;

  constructor(
    context: DeviceContext,
    label: string,
    method: ClipMethod,
    options: CheckedOptions,
    { declared }: TensorList,
    kept: Kept,
  ) {
    this.#context = context;
    this.#label = label;
    this.#options = options;
    this.#historyBytes = 4 * HISTORY_WORDS * (options.history ?? 0);
    this.#refuseLost();
    this.pieceElements = pieceElementsOf(context.maxBinding);
    const grouped = method.grouping.kind !== "all";
    const groups = groupCount(declared, method.grouping);
    if (grouped) refuseBeyond(ENTRY_BYTES * groups, context.maxBinding, "binding");
    try {
      const made = this.#watched(() => {
        const record = kept.record ?? this.#own("record", RECORD_BYTES);
        const entries = grouped ? this.#own("scales", ENTRY_BYTES * Math.max(1, groups)) : undefined;
        const tensorNorms = options.tensorNorms
          ? this.#own("tensor norms", ENTRY_BYTES * Math.max(1, declared.length))
          : undefined;
        const memory = memoryOf(method, options, groups);
        const words = memory?.toWords(0);
        const state = kept.memory ?? (words || options.history ? this.#makeState(words) : undefined);
        const bindings = new Bindings(context, { record, entries, tensorNorms, state }, method, options);
        return { record, entries, tensorNorms, state, memory, bindings };
      });
      this.record = made.record;
      this.scales = made.entries;
      this.#tensorNorms = made.tensorNorms;
      this.#bindings = made.bindings;
      const { state, memory } = made;
      this.kept = { record: made.record, memory: state };
      if (state && memory?.savedBytes) {
        const begin = () => memoryOf(method, options, groups) as Remembered;
        this.state = { save: () => this.#save(begin()), load: (saved) => this.#load(begin(), saved) };
      }
    } catch (error) {
      this.#freeOwned();
      throw error;
    }
  }

  get ready(): Promise<void> {
    return this.#settle();
  }

  prepare(list: TensorList): Prepared {
    this.#refuseLost();
    const own: unknown[] = [this.record, this.scales];
    const mistaken = list.tensors.find(
      ({ source, into }) => own.includes(source.buffer) || (into && own.includes(into.buffer)),
    );
    if (mistaken) {
      throw new TypeError(`${mistaken.label} is the clip's own record or scales; pass buffers that hold gradients.`);
    }
    const { tensors } = list;
    const { made, fault } = watched(this.#context.device, () => ({ steps: this.#bindings.bind(list), tensors }));
    this.#faults.note(this.#faultOf(fault, made));
    for (const { kernel } of made.steps) this.#compile(kernel);
    return made;
  }

  encode(target: GPUCommandEncoder | GPUComputePassEncoder, prepared: Prepared, values: StepValues): void {
    this.#refuseLost();
    if (!isPass(target) && !isEncoder(target)) {
      throw wrongValue(target, "encode's target", "a GPUCommandEncoder or a GPUComputePassEncoder");
    }
    this.#faults.throwUntold();
    if (isPass(target)) this.#record(target, prepared as PreparedBuffers, values);
    else this.#recordPass(target, prepared as PreparedBuffers, values);
    this.#faults.encoded(prepared);
  }

  run(prepared: Prepared, values: StepValues): void {
    this.#refuseLost();
    this.#faults.throwUntold();
    const { device } = this.#context;
    const { fault } = watched(device, () => {
      const encoder = device.createCommandEncoder({ label: this.#label });
      this.#recordPass(encoder, prepared as PreparedBuffers, values);
      device.queue.submit([encoder.finish()]);
    });
    this.#faults.note(this.#faultOf(fault, prepared as PreparedBuffers), true);
  }

  readRecord(signal?: AbortSignal): Promise<DataView[]> {
    const buffers = [this.record, this.scales, this.#tensorNorms];
    return this.#read(
      buffers.flatMap((buffer) => (buffer ? { buffer } : [])),
      signal,
    );
  }

  readHistory(): Promise<DataView> {
    const size = this.#historyBytes;
    return this.#readMemory((this.kept.memory as GPUBuffer).size - size, size);
  }

  destroy(): void {
    this.#freeOwned();
    this.#bindings.destroy();
  }

  async #read(parts: readonly GPUBufferBinding[], signal?: AbortSignal): Promise<DataView[]> {
    this.#refuseLost("unknown");
    const copies = readBack(this.#context, parts, signal);
    ignoreRejection(copies);
    await this.#throwCurrent();
    return copies;
  }

  async #readMemory(offset: number, size: number): Promise<DataView> {
    return (await this.#read([{ buffer: this.kept.memory as GPUBuffer, offset, size }]))[0] as DataView;
  }

  async #save(memory: Remembered): Promise<ArrayBuffer> {
    const { buffer } = await this.#readMemory(0, memory.toWords(0).byteLength);
    memory.fromWords(new Uint32Array(buffer as ArrayBuffer));
    return memory.save();
  }

  #load(memory: Remembered, saved: ArrayBuffer): void {
    this.#refuseLost();
    memory.load(saved);
    this.#watched(() => this.#context.device.queue.writeBuffer(this.kept.memory as GPUBuffer, 0, memory.toWords(0)));
  }

  /** One word more: an array in a storage buffer has at least one element, and a memory may have no list. */
  #makeState(words = new Uint32Array(0)): GPUBuffer {
    const size = words.byteLength + 4 + this.#historyBytes;
    const buffer = constantBuffer(this.#context, "memory", STATE_USAGE, size, (mapped) => mapped.set(words));
    this.owned.add(buffer);
    return buffer;
  }

  #own(name: string, size: number): GPUBuffer {
    const buffer = newBuffer(this.#context, { label: `${this.#label} ${name}`, size, usage: RECORD_USAGE });
    this.owned.add(buffer);
    return buffer;
  }

  #freeOwned(): void {
    for (const buffer of this.owned) buffer.destroy();
  }

  #recordPass(encoder: GPUCommandEncoder, prepared: PreparedBuffers, values: StepValues): void {
    const pass = encoder.beginComputePass({ label: this.#label });
    this.#record(pass, prepared, values);
    pass.end();
  }

  #record(pass: GPUComputePassEncoder, { steps }: PreparedBuffers, values: StepValues): void {
    this.#setOffsets(values);
    for (const { kernel, first, second, valuesFrom, workgroups } of steps) {
      pass.setPipeline(this.#pipeline(kernel));
      pass.setBindGroup(0, first);
      if (valuesFrom === undefined) pass.setBindGroup(1, second);
      else pass.setBindGroup(1, second, this.#offsetsFrom[valuesFrom], 0, VALUE_BYTES - valuesFrom);
      pass.dispatchWorkgroups(workgroups);
    }
  }

  #pipeline(kernel: Kernel): GPUComputePipeline {
    const compiled = this.#context.pipelines.get(kernel.name)?.pipeline;
    return compiled ?? this.#watched(() => pipelineNow(this.#context, kernel));
  }

  /** Offsets for the bits of both values: one for each byte, and each byte has a binding. */
  #setOffsets({ maxNorm, gradScale }: StepValues): void {
    floats[0] = maxNorm;
    floats[1] = gradScale;
    for (let i = 0; i < VALUE_BYTES; i++) this.#byteOffsets[i] = (bytes[i] as number) * 256;
  }

  #compile(kernel: Kernel): void {
    const { ready } = compile(this.#context, kernel);
    if (this.#compiled.has(ready)) return;
    this.#compiled.add(ready);
    ready.catch((error) => this.#faults.note(Promise.resolve({ error })));
  }

  /** For objects of the clip itself, not of its gradients. */
  #watched<T>(make: () => T): T {
    const { made, fault } = watched(this.#context.device, make);
    this.#faults.note(this.#faultOf(fault));
    return made;
  }

  async #faultOf(fault: ReturnType<typeof watched>["fault"], of?: PreparedBuffers): Promise<Fault | undefined> {
    const caught = await fault;
    if (!caught) return undefined;
    // A kernel that does not compile is invalid in whatever uses it: its own error says why.
    try {
      await Promise.all(this.#compiled);
    } catch (error) {
      return { error: error as Error };
    }
    const given = caught.outOfMemory || !of ? [] : givenBuffers(of.tensors, this.#options);
    const culprit = await refusedAmong(this.#context, given);
    const error = faultError(this.#label, culprit?.caught ?? caught, culprit?.name);
    return { error, of: culprit?.isGradient ? of : undefined };
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#compiled);
    await this.#throwCurrent();
  }

  async #throwCurrent(): Promise<void> {
    const error = await this.#faults.current();
    this.#refuseLost("unknown");
    if (error) throw error;
  }

  #refuseLost(gradientsState: "unchanged" | "unknown" = "unchanged"): void {
    if (this.#context.lost) throw new DeviceLostError(this.#context.lost, gradientsState);
  }
}

const floats = new Float32Array(2);
const bytes = new Uint8Array(floats.buffer);

function isPass(target: unknown): target is GPUComputePassEncoder {
  return typeof (target as GPUComputePassEncoder | null)?.dispatchWorkgroups === "function";
}

function isEncoder(target: unknown): target is GPUCommandEncoder {
  return typeof (target as GPUCommandEncoder | null)?.beginComputePass === "function";
}

/** What the clip remembers from step to step, as it is before the first one. */
export function memoryOf({ rule }: ClipMethod, { skip }: CheckedOptions, groups: number): Remembered | undefined {
  const ofRule = "begin" in rule ? rule.begin(groups) : undefined;
  return skip ? skip.begin(ofRule).memory : ofRule;
}
