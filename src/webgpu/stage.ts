import { shown } from "../check.ts";
import { DeviceLostError } from "../errors.ts";
import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { RECORD_BYTES } from "../record.ts";
import type { Bound, Stage, Values } from "../stage.ts";
import { Bindings, type BoundBuffers } from "./bindings.ts";
import { byteTable, type DeviceState } from "./device.ts";
import { layoutsOf } from "./layouts.ts";
import { compile, type Kernel, pipelineNow, quiet } from "./pipelines.ts";
import { pieceElementsOf } from "./plan.ts";
import { readBack } from "./readBack.ts";

const RECORD_USAGE = 0x80 | 0x40 | 0x04; // STORAGE | UNIFORM | COPY_SRC

/** The three passes on the GPU: recorded, never waited for. */
export function webgpuStage(state: DeviceState, method: ClipMethod, options: CheckedOptions): Stage {
  return new WebGPUStage(state, method, options);
}

class WebGPUStage implements Stage {
  readonly record: GPUBuffer;
  readonly pieceElements: number;
  readonly #state: DeviceState;
  readonly #label: string;
  readonly #bindings: Bindings;
  readonly #bytes: GPUBindGroup;
  readonly #byteOffsets = new Uint32Array(8);
  /** What went wrong in objects or submits of ours, told by ready or the next report. */
  readonly #faults = new Set<Promise<GPUError | null>>();
  readonly #compiled: Promise<void>[] = [];
  #ready: Promise<void> | undefined;

  constructor(state: DeviceState, method: ClipMethod, options: CheckedOptions) {
    this.#state = state;
    this.#label = `${state.label} ${method.name}`;
    this.#refuseLost();
    this.pieceElements = pieceElementsOf(state.maxBinding);
    const { device } = state;
    this.record = this.#guarded(() =>
      device.createBuffer({ label: `${this.#label} record`, size: RECORD_BYTES, usage: RECORD_USAGE }),
    );
    this.#bindings = this.#guarded(() => new Bindings(state, this.record, method, options));
    this.#bytes = this.#guarded(() => this.#makeBytes());
  }

  get ready(): Promise<void> {
    this.#ready ??= this.#settle();
    return this.#ready;
  }

  bind(list: TensorList): Bound {
    this.#refuseLost();
    const bound = this.#guarded(() => this.#bindings.bind(list));
    for (const kernel of bound.kernels) this.#compiled.push(compile(this.#state, kernel).ready);
    return bound;
  }

  encode(target: GPUCommandEncoder | GPUComputePassEncoder, bound: Bound, values: Values): void {
    this.#refuseLost();
    if (isPass(target)) {
      this.#record(target, bound as BoundBuffers, values);
    } else if (isEncoder(target)) {
      const pass = target.beginComputePass({ label: this.#label });
      this.#record(pass, bound as BoundBuffers, values);
      pass.end();
    } else {
      throw new TypeError(`encode's target is ${shown(target)}; pass a GPUCommandEncoder or a GPUComputePassEncoder.`);
    }
  }

  run(bound: Bound, values: Values): void {
    this.#refuseLost();
    this.#guarded(() => {
      const encoder = this.#state.device.createCommandEncoder({ label: this.#label });
      this.encode(encoder, bound, values);
      this.#state.device.queue.submit([encoder.finish()]);
    });
  }

  async readRecord(): Promise<DataView> {
    this.#refuseLost();
    const record = this.#guarded(() => readBack(this.#state, this.record, RECORD_BYTES));
    quiet(record);
    await this.#throwFaults();
    return record;
  }

  destroy(): void {
    this.record.destroy();
    this.#bindings.destroy();
  }

  #record(pass: GPUComputePassEncoder, bound: BoundBuffers, values: Values): void {
    for (const step of bound.norm) this.#dispatch(pass, step.kernel, step.gradients, step.table, step.workgroups);
    pass.setPipeline(this.#pipeline(bound.finish.kernel));
    pass.setBindGroup(0, bound.finish.group);
    pass.setBindGroup(1, this.#bytes, this.#offsetsOf(values), 0, 8);
    pass.dispatchWorkgroups(1);
    for (const step of bound.scale) this.#dispatch(pass, step.kernel, step.gradients, step.table, step.workgroups);
  }

  #dispatch(pass: GPUComputePassEncoder, kernel: Kernel, gradients: GPUBindGroup, table: GPUBindGroup, count: number) {
    pass.setPipeline(this.#pipeline(kernel));
    pass.setBindGroup(0, gradients);
    pass.setBindGroup(1, table);
    pass.dispatchWorkgroups(count);
  }

  #pipeline(kernel: Kernel): GPUComputePipeline {
    const compiled = this.#state.pipelines.get(kernel.name)?.pipeline;
    return compiled ?? this.#guarded(() => pipelineNow(this.#state, kernel));
  }

  /** The bits of both values, a byte for each binding. */
  #offsetsOf({ maxNorm, gradScale }: Values): Uint32Array {
    floats[0] = maxNorm;
    floats[1] = gradScale;
    for (let i = 0; i < 8; i++) this.#byteOffsets[i] = (bytes[i] as number) * 256;
    return this.#byteOffsets;
  }

  #makeBytes(): GPUBindGroup {
    const entries = Array.from({ length: 8 }, (_, binding) => ({
      binding,
      resource: { buffer: byteTable(this.#state), size: 16 },
    }));
    const layout = layoutsOf(this.#state).bytes;
    return this.#state.device.createBindGroup({ label: `${this.#label} values`, layout, entries });
  }

  /** Runs what makes objects or submits inside an error scope, which is closed before anything else can happen. */
  #guarded<T>(make: () => T): T {
    const { device } = this.#state;
    device.pushErrorScope("validation");
    try {
      return make();
    } finally {
      const fault = device.popErrorScope();
      this.#faults.add(fault);
      fault.then(
        (error) => error ?? this.#faults.delete(fault),
        () => this.#faults.delete(fault),
      );
    }
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#compiled);
    await this.#throwFaults();
  }

  async #throwFaults(): Promise<void> {
    for (const fault of [...this.#faults]) {
      const error = await fault.catch(() => null);
      this.#faults.delete(fault);
      if (error) throw new Error(`${this.#label}: ${error.message}`, { cause: error });
    }
    this.#refuseLost("unknown");
  }

  #refuseLost(gradientsState: "unchanged" | "unknown" = "unchanged"): void {
    if (this.#state.lost) throw new DeviceLostError(this.#state.lost, gradientsState);
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
