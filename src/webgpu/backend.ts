import type { ClipBackend, Prepared, StepValues, StoredState } from "../backend.ts";
import { shown } from "../check.ts";
import { DeviceLostError } from "../errors.ts";
import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { RuleState } from "../methods/ruleState.ts";
import type { CheckedOptions } from "../options.ts";
import { ENTRY_BYTES, RECORD_BYTES } from "../record.ts";
import { Bindings, type PreparedBuffers } from "./bindings.ts";
import { constantBuffer, type DeviceContext } from "./device.ts";
import { compile, ignoreRejection, type Kernel, pipelineNow } from "./pipelines.ts";
import { pieceBytesOf } from "./plan.ts";
import { readBack } from "./readBack.ts";

/** Which of the offsets a step takes. */
type ByteRange = NonNullable<PreparedBuffers["steps"][number]["values"]>;

const RECORD_USAGE = 0x80 | 0x40 | 0x04; // STORAGE | UNIFORM | COPY_SRC
const MEMORY_USAGE = 0x80 | 0x04 | 0x08; // STORAGE | COPY_SRC | COPY_DST

/** The three passes on the GPU: recorded, never waited for. */
export function webgpuBackend(
  context: DeviceContext,
  label: string,
  method: ClipMethod,
  options: CheckedOptions,
  groupCount: number,
): ClipBackend {
  return new WebGPUBackend(context, `${label} ${method.name}`, method, options, groupCount);
}

class WebGPUBackend implements ClipBackend {
  readonly record: GPUBuffer;
  readonly scales: GPUBuffer | undefined;
  readonly state?: StoredState;
  readonly pieceElements: number;
  readonly #context: DeviceContext;
  readonly #label: string;
  readonly #bindings: Bindings;
  readonly #ruleState: GPUBuffer | undefined;
  readonly #byteOffsets = new Uint32Array(8);
  readonly #parts = new WeakMap<ByteRange, Uint32Array>();
  /** What went wrong in objects or submits of ours, told by ready or the next report. */
  readonly #faults = new Set<Promise<GPUError | null>>();
  readonly #compiled = new Set<Promise<void>>();
  #ready: Promise<void> | undefined;

  constructor(context: DeviceContext, label: string, method: ClipMethod, options: CheckedOptions, groupCount: number) {
    this.#context = context;
    this.#label = label;
    this.#refuseLost();
    this.pieceElements = pieceBytesOf(context.maxBinding) / 4;
    const { device } = context;
    this.record = this.#guarded(() =>
      device.createBuffer({ label: `${this.#label} record`, size: RECORD_BYTES, usage: RECORD_USAGE }),
    );
    if (method.grouping.kind !== "all") {
      const size = ENTRY_BYTES * Math.max(1, groupCount);
      refuseMoreThanBinding(groupCount, context.maxBinding);
      const label = `${this.#label} scales`;
      this.scales = this.#guarded(() => device.createBuffer({ label, size, usage: RECORD_USAGE }));
    }
    if ("begin" in method.rule) {
      const { begin } = method.rule;
      const buffer = this.#guarded(() => this.#makeRuleState(begin().toWords()));
      this.state = { save: () => this.#save(buffer, begin()), load: (saved) => this.#load(buffer, begin(), saved) };
      this.#ruleState = buffer;
    }
    const buffers = { record: this.record, entries: this.scales, ruleState: this.#ruleState };
    this.#bindings = this.#guarded(() => new Bindings(context, buffers, method, options));
  }

  get ready(): Promise<void> {
    this.#ready ??= this.#settle();
    return this.#ready;
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
    const prepared = this.#guarded(() => this.#bindings.bind(list));
    for (const { kernel } of prepared.steps) this.#compiled.add(compile(this.#context, kernel).ready);
    return prepared;
  }

  encode(target: GPUCommandEncoder | GPUComputePassEncoder, prepared: Prepared, values: StepValues): void {
    this.#refuseLost();
    if (isPass(target)) {
      this.#record(target, prepared as PreparedBuffers, values);
    } else if (isEncoder(target)) {
      const pass = target.beginComputePass({ label: this.#label });
      this.#record(pass, prepared as PreparedBuffers, values);
      pass.end();
    } else {
      throw new TypeError(`encode's target is ${shown(target)}; pass a GPUCommandEncoder or a GPUComputePassEncoder.`);
    }
  }

  run(prepared: Prepared, values: StepValues): void {
    this.#refuseLost();
    this.#guarded(() => {
      const encoder = this.#context.device.createCommandEncoder({ label: this.#label });
      this.encode(encoder, prepared, values);
      this.#context.device.queue.submit([encoder.finish()]);
    });
  }

  readRecord(): Promise<DataView[]> {
    return this.#read(this.scales ? [this.record, this.scales] : [this.record]);
  }

  destroy(): void {
    this.record.destroy();
    this.scales?.destroy();
    this.#ruleState?.destroy();
    this.#bindings.destroy();
  }

  async #read(buffers: readonly GPUBuffer[]): Promise<DataView[]> {
    this.#refuseLost("unknown");
    const copies = this.#guarded(() => readBack(this.#context, buffers));
    ignoreRejection(copies);
    await this.#throwFaults();
    return copies;
  }

  async #save(buffer: GPUBuffer, state: RuleState): Promise<ArrayBuffer> {
    const [content] = (await this.#read([buffer])) as [DataView];
    state.fromWords(new Uint32Array(content.buffer as ArrayBuffer, content.byteOffset, content.byteLength / 4));
    return state.save();
  }

  #load(buffer: GPUBuffer, state: RuleState, saved: ArrayBuffer): void {
    this.#refuseLost();
    state.load(saved);
    this.#guarded(() => this.#context.device.queue.writeBuffer(buffer, 0, state.toWords()));
  }

  #makeRuleState(words: Uint32Array): GPUBuffer {
    return constantBuffer(this.#context, "memory", MEMORY_USAGE, words.byteLength, (mapped) => mapped.set(words));
  }

  #record(pass: GPUComputePassEncoder, { steps }: PreparedBuffers, values: StepValues): void {
    const offsets = this.#offsetsOf(values);
    for (const { kernel, first, second, offsets: values, workgroups } of steps) {
      pass.setPipeline(this.#pipeline(kernel));
      pass.setBindGroup(0, first);
      if (values) pass.setBindGroup(1, second, this.#partOf(offsets, values), 0, values.count);
      else pass.setBindGroup(1, second);
      pass.dispatchWorkgroups(workgroups);
    }
  }

  #pipeline(kernel: Kernel): GPUComputePipeline {
    const compiled = this.#context.pipelines.get(kernel.name)?.pipeline;
    return compiled ?? this.#guarded(() => pipelineNow(this.#context, kernel));
  }

  /** The bits of both values, a byte for each binding. */
  #offsetsOf({ maxNorm, gradScale }: StepValues): Uint32Array {
    floats[0] = maxNorm;
    floats[1] = gradScale;
    for (let i = 0; i < 8; i++) this.#byteOffsets[i] = (bytes[i] as number) * 256;
    return this.#byteOffsets;
  }

  /** An array of its own, made once: bun-webgpu 0.1.7 takes the whole of it, whatever start and count say. */
  #partOf(offsets: Uint32Array, range: ByteRange): Uint32Array {
    const known = this.#parts.get(range);
    if (known) return known;
    const part = offsets.subarray(range.start, range.start + range.count);
    this.#parts.set(range, part);
    return part;
  }

  /** Runs what makes objects or submits inside error scopes, which are closed before anything else can happen. */
  #guarded<T>(make: () => T): T {
    const { device } = this.#context;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    try {
      return make();
    } finally {
      for (const fault of [device.popErrorScope(), device.popErrorScope()]) this.#note(fault);
    }
  }

  #note(fault: Promise<GPUError | null>): void {
    this.#faults.add(fault);
    const forget = () => this.#faults.delete(fault);
    fault.then((error) => error ?? forget(), forget);
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#compiled);
    await this.#throwFaults();
  }

  /** All of them are told at once, by the first. */
  async #throwFaults(): Promise<void> {
    const faults = [...this.#faults];
    const errors = await Promise.all(faults.map((fault) => fault.catch(() => null)));
    for (const fault of faults) this.#faults.delete(fault);
    const error = errors.find((found) => found !== null);
    if (error) throw new Error(`${this.#label}: ${error.message}`, { cause: error });
    this.#refuseLost("unknown");
  }

  #refuseLost(gradientsState: "unchanged" | "unknown" = "unchanged"): void {
    if (this.#context.lost) throw new DeviceLostError(this.#context.lost, gradientsState);
  }
}

function refuseMoreThanBinding(groupCount: number, maxBinding: number): void {
  const most = Math.floor(maxBinding / ENTRY_BYTES);
  if (groupCount <= most) return;
  throw new RangeError(
    `The gradients have ${groupCount} norms of ${ENTRY_BYTES} bytes each, but a binding of the device holds ${most}; reduce more axes, or pass fewer gradients.`,
  );
}

const floats = new Float32Array(2);
const bytes = new Uint8Array(floats.buffer);

function isPass(target: unknown): target is GPUComputePassEncoder {
  return typeof (target as GPUComputePassEncoder | null)?.dispatchWorkgroups === "function";
}

function isEncoder(target: unknown): target is GPUCommandEncoder {
  return typeof (target as GPUCommandEncoder | null)?.beginComputePass === "function";
}
