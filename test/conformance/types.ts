import type { ClipMethod, ClipOptions, Clipper, ClipReport, Gradients } from "../../src/index.ts";
import type { GridRow } from "../../src/webgpu/grid.ts";

/** A position in a memory that several tensors may share. Memories are made as large as what lies in them, plus guards. */
export interface Place {
  readonly memory: string;
  readonly byteOffset: number;
}

export type Dtype = "f32" | "f16" | "bf16";

/** Bit patterns of 32-bit or of 16-bit elements. */
export type Bits = Uint32Array | Uint16Array;

export interface Tensor {
  /** The bit patterns of the elements: a Uint16Array where the dtype has 16 bits. */
  readonly bits: Bits;
  /** Default "f32". */
  readonly dtype?: Dtype;
  /** Without a place: memory of its own, exactly as large, handed over as a whole and not as a view. */
  readonly place?: Place;
  readonly into?: Place;
  readonly name?: string;
  readonly shape?: readonly number[];
  readonly group?: string;
  /** What the gradient is of: as many elements. Without a place in memory of its own. */
  readonly parameter?: { readonly bits: Bits; readonly dtype?: Dtype; readonly place?: Place };
  /** Of `into`, where that is not the tensor's. */
  readonly intoDtype?: "f32";
  /** How long `into` is, where that is not as the tensor. */
  readonly intoLength?: number;
  /** On the CPU, hand over a subarray instead of { buffer, byteOffset, length }. */
  readonly subarray?: true;
}

/** A value that only the GPU sees: one float32 in a buffer. */
export interface Held {
  readonly held: number;
  readonly byteOffset?: number;
}

export interface UnitOptions {
  readonly nonFinite?: "zero" | "keep" | "propagate";
  readonly apply?: "scale" | "record";
  readonly gradScale?: number | Held;
  readonly totalNorm?: number | Held;
  readonly tensorNorms?: boolean;
  readonly history?: number;
  readonly skip?: ClipOptions["skip"];
}

/** What the library is asked to do once, and what is known about the answer. */
export interface Unit {
  readonly label: string;
  readonly tensors: readonly (Tensor | null | undefined)[];
  readonly rule: Rule;
  readonly options?: UnitOptions;
  /** WebGPU: record into an encoder of the suite, into an open pass of it, or let the clip submit by itself. */
  readonly via?: "encode" | "pass" | "run";
  /** Tensors, by their places, that are there at prepare and not at the step. */
  readonly absent?: readonly number[];
  /** How many of the method's examples the step brings; default all. */
  readonly present?: number;
  /** Those that prepare knows by length, dtype and shape only, and that the step brings. */
  readonly late?: readonly number[];
  /** Hand the tensors over as an object, by name. */
  readonly named?: true;
  /** Only the report is checked: for ranges too large to read back everywhere. */
  readonly reportOnly?: true;
  /** The norm comes out exactly in any order of summation, so the decision at the bound must be exact too. */
  readonly exact?: boolean;
  /** What is multiplied comes out exactly in float32, so that 16-bit results are rounded once: ties go to even. */
  readonly exactProducts?: boolean;
  /** Answers written down by hand, so that the reference is checked too. */
  readonly want?: Want;
}

export interface Want {
  readonly norm?: number;
  readonly scale?: number;
  readonly clipped?: boolean;
  readonly nonFinite?: number;
  readonly maxAbs?: number;
  /** One list per tensor. */
  readonly values?: readonly (readonly number[])[];
}

/** A method together with its reference. A new method brings its own rule in its own cases file. */
export interface Rule {
  readonly method: ClipMethod;
  expected(unit: Unit): Expected;
}

/**
 * What a tensor holds afterwards: these bits, or these values within 2 ULP, rounded to the tensor's format (NaN: any NaN;
 * 0: a zero of either sign).
 */
export type Content =
  | { readonly bits: Bits }
  /** `kept`: elements whose bytes are as they were; `off`: how far the others may be off, in absolute terms. */
  | {
      readonly values: Float64Array;
      readonly kept?: (element: number) => boolean;
      readonly off?: (element: number) => number;
    };

/** A missing field is one that the design leaves open. */
export interface Expected {
  readonly norm: number;
  readonly scale?: number;
  readonly clipped?: boolean;
  readonly skipped?: boolean;
  /** Default false. */
  readonly spike?: boolean;
  readonly nonFinite?: number;
  readonly first?: { readonly index: number; readonly element: number } | null;
  readonly maxAbs?: number;
  readonly bound?: number;
  readonly sawNaN?: boolean;
  readonly sawInfinity?: boolean;
  /** Same length as the unit's tensors. */
  readonly contents: readonly (Content | null)[];
  /** How far norm, scale and values may be off, where 2 ULP is more than the method promises. */
  readonly ulps?: number;
  /** The norm of what was written must be at this bound. */
  readonly normAfter?: number;
  /** Methods with several norms. */
  readonly tensorNorms?: readonly number[];
  readonly memberNorms?: readonly number[];
  readonly memberScales?: readonly number[];
  readonly clippedMembers?: number;
  readonly groups?: ClipReport["groups"];
}

/** Every memory of a unit as words, by name. */
export type Images = ReadonlyMap<string, Uint32Array>;

export interface Outcome {
  readonly report: ClipReport;
  /** WebGPU: the 96 bytes as the GPU wrote them, and what `readRecord` makes of them. */
  readonly record?: Uint8Array;
  readonly decoded?: ClipReport;
  readonly before: Images;
  /** Missing for a unit of which only the report is checked. */
  readonly after?: Images;
}

/** Gradients laid out in the memory of the engine under test. */
export interface Allocation {
  readonly gradients: Gradients;
  readonly before: Images;
  read(): Promise<Images>;
}

/** What a case may use; the same for typed arrays and for GPU buffers. */
export interface Harness {
  readonly backend: "cpu" | "webgpu";
  readonly clipper: Clipper;
  /** Memory for a script; it is freed when the case ends, as are the clips of `prepare`. */
  allocate(tensors: Unit["tensors"]): Allocation;
  prepare: Clipper["prepare"];
  /** Ends a case: frees what it made. */
  release(): void;
  /** Runs all units, on the GPU in one submit, and gives one outcome for each. */
  execute(units: readonly Unit[]): Promise<Outcome[]>;
}

export interface ForcedPlan {
  readonly grid?: GridRow;
  /** The most bytes in a binding. */
  readonly maxBinding?: number;
  /** The storage buffers in a stage: at most as many as the device has. */
  readonly storageBuffers?: number;
}

export interface WebGpuHarness extends Harness {
  readonly backend: "webgpu";
  readonly device: GPUDevice;
  /** Another device with these limits, for the time of the callback. Limits above the adapter's are lowered to it. */
  withDevice(limits: Readonly<Record<string, number>>, use: (harness: WebGpuHarness) => Promise<void>): Promise<void>;
  /** Hook into the library: clips that the case prepares from now on plan for this device. */
  force(plan: ForcedPlan): void;
  /** A buffer with these words, freed when the case ends. */
  bufferOf(words: Uint32Array, usage: number): GPUBuffer;
  /** Copies of buffers, in one submit. */
  readBuffers(buffers: readonly GPUBuffer[]): Promise<Uint32Array[]>;
}

/**
 * What alone can make the answer of a case differ from that of another engine: the dispatches that are planned, which are the same
 * everywhere; the text of a shader of which one lane runs by itself; what compiles the shaders; the driver; or compiler and driver together,
 * where a case asks nothing special of the engine's process. See index.ts for the engines that run it.
 */
export type DependsOn = "plan" | "text" | "compiler" | "driver" | "kernels";

/** Units are data for both backends; a script drives the library itself. */
export type Case = { readonly name: string; readonly heavy?: true; readonly dependsOn?: DependsOn } & (
  | { readonly units: () => readonly Unit[]; readonly only?: "cpu" | "webgpu" }
  | { readonly script: (harness: Harness) => Promise<void>; readonly only?: "cpu" }
  | { readonly gpuScript: (harness: WebGpuHarness) => Promise<void> }
);
