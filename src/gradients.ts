import { inWords, readOneOf, readOptions, shown } from "./check.ts";
import { refuseOverlaps } from "./overlaps.ts";

/** How an element is stored: float32, IEEE binary16, or the upper half of a float32. 16 bits: two a 32-bit word. */
export type Dtype = "f32" | "f16" | "bf16";

export const ELEMENT_BYTES: Record<Dtype, number> = { f32: 4, f16: 2, bf16: 2 };

/** Part of a buffer. `length` counts elements: the logical length, where an engine's pooled buffer is longer. */
export interface GradientView {
  buffer: GPUBuffer | ArrayBufferView;
  /** A multiple of the element size; default 0. For an array it counts from the start of the array. */
  byteOffset?: number;
  /** Elements; default: up to the end of the buffer. */
  length?: number;
  /**
   * `"f32"` (default), or 16 bits, packed two a 32-bit word, little-endian; they need no shader-f16. Norms are computed in
   * float32 and clipped values rounded to the nearest, ties to even. On the CPU any array may hold them, as a Uint16Array.
   */
  dtype?: Dtype;
  /** Where the clipped gradient goes instead; the gradient itself is then left alone. It has the same dtype. */
  into?: { buffer: GPUBuffer | ArrayBufferView; byteOffset?: number };
  /** The parameter that the gradient is of, as many elements, for `adaptiveGradClip`; it is only read. */
  parameter?: { buffer: GPUBuffer | ArrayBufferView; byteOffset?: number; dtype?: Dtype };
  name?: string;
  /** Its dimensions, for methods that work along axes. */
  shape?: readonly number[];
}

export type Gradient = GPUBuffer | Float32Array | GradientView;

/** A list, or an object whose keys become names; a null or undefined entry is a parameter without a gradient. */
export type Gradients = Iterable<Gradient | null | undefined> | Readonly<Record<string, Gradient | null | undefined>>;

/** Bytes of a GPUBuffer, or of the ArrayBuffer under a typed array. */
export interface Range {
  readonly buffer: GPUBuffer | ArrayBufferLike;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** One gradient that has elements, checked. */
export interface Tensor {
  /** Its place in the caller's list. */
  readonly index: number;
  readonly name?: string;
  readonly label: string;
  /** Elements. */
  readonly length: number;
  readonly dtype: Dtype;
  readonly shape?: readonly number[];
  readonly source: Range;
  readonly into?: Range;
  readonly parameter?: Stored;
}

/** A range and what its elements are. */
export interface Stored {
  readonly source: Range;
  readonly dtype: Dtype;
}

export interface TensorList {
  readonly tensors: readonly Tensor[];
  /** Where they live; undefined when there are none. */
  readonly backend: "webgpu" | "cpu" | undefined;
  /** All entries of the list, those without a gradient too. */
  readonly count: number;
  /** Equal for lists of the same count, lengths and formats. */
  readonly structure: string;
}

const STORAGE = 0x80;
const VIEW_KEYS = ["buffer", "byteOffset", "length", "dtype", "into", "parameter", "name", "shape"] as const;
const ACCEPTED = "a GPUBuffer, a Float32Array or a view { buffer, byteOffset, length }";
const DTYPES = Object.keys(ELEMENT_BYTES) as Dtype[];

/**
 * Reads a caller's gradients once, in order, refusing whatever can be seen to be wrong before anything is done. An `into`
 * has room for one of as many `examples`, whose sum goes there.
 */
export function readGradients(gradients: Gradients, examples = 1): TensorList {
  const tensors: Tensor[] = [];
  const structure: string[] = [];
  for (const { gradient, index, name } of entries(gradients)) {
    if (gradient === null || gradient === undefined) {
      structure.push("-");
      continue;
    }
    const tensor = readGradient(gradient, index, name, examples);
    const parameter = tensor.parameter ? ` ${tensor.parameter.dtype}` : "";
    structure.push(`${tensor.length} ${tensor.dtype}${parameter}${tensor.into ? "i" : ""}`);
    if (tensor.length > 0) tensors.push(tensor);
  }
  refuseMixture(tensors);
  refuseOverlaps(tensors);
  const first = tensors[0];
  return {
    tensors,
    backend: first && backendOf(first.source.buffer),
    count: structure.length,
    structure: structure.join(),
  };
}

/** An iterable that is no array can perhaps be read only once, and is looked at more often. */
export function readOnce(gradients: Gradients): Gradients {
  const isList = typeof gradients === "object" && gradients !== null && Symbol.iterator in gradients;
  return isList && !Array.isArray(gradients) && !ArrayBuffer.isView(gradients) ? [...gradients] : gradients;
}

export function isGPUBuffer(value: unknown): value is GPUBuffer {
  if (typeof value !== "object" || value === null) return false;
  const { size, usage, mapAsync } = value as Partial<GPUBuffer>;
  return typeof size === "number" && typeof usage === "number" && typeof mapAsync === "function";
}

/** Refuses what cannot be bound: a buffer without STORAGE usage, or still mapped. */
export function checkBuffer(buffer: GPUBuffer, subject: string, usage = STORAGE, usageName = "STORAGE"): void {
  if ((buffer.usage & usage) === 0) {
    throw new TypeError(
      `${subject} is a buffer with usage 0x${buffer.usage.toString(16)}, without ${usageName} (0x${usage.toString(16)}); create it with that usage too.`,
    );
  }
  if (buffer.mapState !== undefined && buffer.mapState !== "unmapped") {
    throw new TypeError(`${subject} is a buffer whose mapState is "${buffer.mapState}"; unmap it first.`);
  }
}

export function byteOffsetOf(value: unknown, multiple: number, subject: string): number {
  if (value === undefined) return 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value % multiple !== 0) {
    const Refusal = typeof value === "number" ? RangeError : TypeError;
    throw new Refusal(
      `${subject}.byteOffset is ${shown(value)}; pass a non-negative multiple of ${multiple}, the size of an element in bytes.`,
    );
  }
  return value;
}

function* entries(gradients: Gradients) {
  if (typeof gradients !== "object" || gradients === null || ArrayBuffer.isView(gradients) || isGPUBuffer(gradients)) {
    throw new TypeError(`gradients is ${shown(gradients)}; pass a list or an object of gradients, each ${ACCEPTED}.`);
  }
  let index = 0;
  if (Symbol.iterator in gradients) {
    for (const gradient of gradients) yield { gradient, index: index++, name: undefined };
  } else if (Object.prototype.toString.call(gradients) !== "[object Object]") {
    throw new TypeError(`gradients is ${shown(gradients)}; pass a list or an object of gradients, each ${ACCEPTED}.`);
  } else {
    for (const [name, gradient] of Object.entries(gradients)) yield { gradient, index: index++, name };
  }
}

function readGradient(gradient: Gradient, index: number, key: string | undefined, examples: number): Tensor {
  const nameless = `gradients[${index}]`;
  const bare = isGPUBuffer(gradient) || gradient instanceof Float32Array;
  if (!bare && (typeof gradient !== "object" || ArrayBuffer.isView(gradient) || !("buffer" in gradient))) {
    const remedy = isHalf(gradient) ? 'a view { buffer, dtype: "f16" } or { buffer, dtype: "bf16" }' : ACCEPTED;
    throw new TypeError(`${labelOf(index, key)} is ${shown(gradient)}; pass ${remedy}.`);
  }
  const given = bare
    ? Object.assign(Object.create(null) as GivenView, { buffer: gradient })
    : viewOf(gradient, key ? labelOf(index, key) : nameless);
  const name = typeof given.name === "string" ? given.name : key || nameOfBuffer(given.buffer);
  const label = labelOf(index, name);
  const dtype = dtypeOf(given.dtype, given.buffer, label);
  const memory = bufferOf(given.buffer, dtype, label);
  const byteOffset = byteOffsetOf(given.byteOffset, ELEMENT_BYTES[dtype], label);
  const length = lengthOf(given.length, dtype, byteOffset, memory.byteLength, label);
  const source = rangeIn(memory, byteOffset, length, dtype, label);
  const shape = readShape(given.shape, length, label);
  const into = readInto(given.into, source, Math.floor(length / examples), dtype, label);
  const parameter = readParameter(given.parameter, length, label);
  return { index, name, label, length, dtype, shape, source, into, parameter };
}

function dtypeOf(value: unknown, buffer: unknown, label: string): Dtype {
  if (value !== undefined) return readOneOf(value, `${label}.dtype`, DTYPES);
  if (isHalf(buffer)) {
    throw new TypeError(`${label}.buffer is ${shown(buffer)} and its dtype is missing; add dtype: "f16" or "bf16".`);
  }
  return "f32";
}

/** An array of 16-bit elements says less than it seems: they may be float16 or bfloat16. */
function isHalf(value: unknown): boolean {
  return ArrayBuffer.isView(value) && (value as Partial<Uint16Array>).BYTES_PER_ELEMENT === 2;
}

type GivenView = { [K in (typeof VIEW_KEYS)[number]]?: unknown };

/** An engine's view may be an object of a class, whose properties are getters. */
function viewOf(view: object, label: string): GivenView {
  const own = readOptions(view, label, VIEW_KEYS);
  const prototype = Object.getPrototypeOf(view);
  if (prototype === Object.prototype || prototype === null) return own;
  return Object.fromEntries(VIEW_KEYS.map((key) => [key, (view as GivenView)[key]]));
}

function readShape(shape: unknown, length: number, label: string): readonly number[] | undefined {
  if (shape === undefined) return undefined;
  if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new TypeError(`${label}.shape is ${shown(shape)}; pass a list of whole numbers.`);
  }
  if (shape.reduce((product, size) => product * size, 1) !== length) {
    throw new RangeError(`${label}.shape is [${shape}], but it has ${length} elements; pass a shape with as many.`);
  }
  return [...shape];
}

function labelOf(index: number, name: string | undefined): string {
  return name === undefined ? `gradients[${index}]` : `gradients[${index}] ${JSON.stringify(name)}`;
}

function nameOfBuffer(buffer: unknown): string | undefined {
  return (isGPUBuffer(buffer) && buffer.label) || undefined;
}

/** The whole of a GPUBuffer or of a typed array, as a range of the memory under it. */
function bufferOf(buffer: unknown, dtype: Dtype, label: string): Range {
  if (isGPUBuffer(buffer)) {
    checkBuffer(buffer, label);
    return { buffer, byteOffset: 0, byteLength: buffer.size };
  }
  // Bytes may hold float32 numbers, but the elements of any other array are something else. 16-bit numbers have hardly
  // an array of their own.
  const is32 = buffer instanceof Float32Array || buffer instanceof Uint8Array;
  if (dtype === "f32" ? !is32 : !ArrayBuffer.isView(buffer)) {
    const remedy =
      dtype === "f32" ? "a Float32Array or a Uint8Array of their bytes" : "a typed array such as a Uint16Array";
    throw new TypeError(`${label}.buffer is ${shown(buffer)}; pass a GPUBuffer, ${remedy}.`);
  }
  return rangeOf(buffer as ArrayBufferView, label);
}

function rangeOf(buffer: ArrayBufferView, label: string): Range {
  if (buffer.byteLength === 0) refuseDetached(buffer, label);
  return { buffer: buffer.buffer, byteOffset: buffer.byteOffset, byteLength: buffer.byteLength };
}

function refuseDetached(view: ArrayBufferView, label: string): void {
  try {
    new Uint8Array(view.buffer);
  } catch {
    throw new TypeError(`${label} is on a detached ArrayBuffer; pass the array that now owns the memory.`);
  }
}

function lengthOf(value: unknown, dtype: Dtype, byteOffset: number, size: number, label: string): number {
  const bytes = size - byteOffset;
  const elementBytes = ELEMENT_BYTES[dtype];
  if (bytes < 0) {
    throw new RangeError(`${label} starts at byte ${byteOffset} of a buffer of ${size} bytes; start inside it.`);
  }
  if (value === undefined) {
    if (bytes % elementBytes === 0) return bytes / elementBytes;
    throw new RangeError(
      `${label} spans ${bytes} bytes, which is not a multiple of ${elementBytes}; pass its length in elements.`,
    );
  }
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    const Refusal = typeof value === "number" ? RangeError : TypeError;
    throw new Refusal(`${label}.length is ${shown(value)}; pass a whole number of elements.`);
  }
  return value;
}

function rangeIn(whole: Range, byteOffset: number, length: number, dtype: Dtype, label: string): Range {
  const elementBytes = ELEMENT_BYTES[dtype];
  const byteLength = length * elementBytes;
  if (byteOffset + byteLength > whole.byteLength) {
    throw new RangeError(
      `${label} needs ${byteLength} bytes from byte ${byteOffset} (${length} elements), but the buffer has ${whole.byteLength}; pass a length of at most ${Math.max(0, Math.floor((whole.byteLength - byteOffset) / elementBytes))}.`,
    );
  }
  const start = whole.byteOffset + byteOffset;
  if (start % elementBytes !== 0) {
    throw new RangeError(
      `${label} starts at byte ${start} of its ArrayBuffer; start at a multiple of ${elementBytes}.`,
    );
  }
  // A binding is a multiple of 4 bytes.
  const bindable = whole.byteLength - (whole.byteLength % 4);
  if (isGPUBuffer(whole.buffer) && byteLength > 0 && start + byteLength > bindable) {
    throw new RangeError(
      `${label} ends at byte ${start + byteLength} of a buffer of ${whole.byteLength} bytes, of which ${bindable} can be bound; pad the buffer to ${bindable + 4}.`,
    );
  }
  return { buffer: whole.buffer, byteOffset: start, byteLength };
}

function readInto(into: unknown, source: Range, length: number, dtype: Dtype, owner: string): Range | undefined {
  if (into === undefined) return undefined;
  const label = `${owner}.into`;
  const given = readOptions(into, label, ["buffer", "byteOffset"]);
  const memory = bufferOf(given.buffer, dtype, label);
  const byteOffset = byteOffsetOf(given.byteOffset, ELEMENT_BYTES[dtype], label);
  const range = rangeIn(memory, byteOffset, length, dtype, label);
  // The first example's place is where the sum goes anyway.
  return isSame(range, { ...source, byteLength: range.byteLength }) ? undefined : range;
}

function readParameter(parameter: unknown, length: number, owner: string): Stored | undefined {
  if (parameter === undefined) return undefined;
  const label = `${owner}.parameter`;
  const given = readOptions(parameter, label, ["buffer", "byteOffset", "dtype"]);
  const dtype = dtypeOf(given.dtype, given.buffer, label);
  const memory = bufferOf(given.buffer, dtype, label);
  const byteOffset = byteOffsetOf(given.byteOffset, ELEMENT_BYTES[dtype], label);
  return { source: rangeIn(memory, byteOffset, length, dtype, label), dtype };
}

export function isSame(a: Range, b: Range): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;
}

function backendOf(buffer: Range["buffer"]): "webgpu" | "cpu" {
  return isGPUBuffer(buffer) ? "webgpu" : "cpu";
}

function refuseMixture(tensors: readonly Tensor[]): void {
  const first = tensors[0];
  if (!first) return;
  const backend = backendOf(first.source.buffer);
  for (const tensor of tensors) {
    if (backendOf(tensor.source.buffer) !== backend) {
      refuseTwoBackends(backend === "webgpu" ? [first.label, tensor.label] : [tensor.label, first.label]);
    }
    for (const [what, range] of Object.entries({ into: tensor.into, parameter: tensor.parameter?.source })) {
      if (range && backendOf(range.buffer) !== backend) refuseTwoBackends([tensor.label, `its ${what}`]);
    }
  }
}

function refuseTwoBackends(subjects: readonly string[]): never {
  throw new TypeError(
    `${inWords(subjects)} are a GPUBuffer and a typed array; pass all gradients on the GPU or all as arrays.`,
  );
}

const ids = new WeakMap<Range["buffer"], number>();
let lastId = 0;

/** A number for a buffer: the same each time it is asked for. */
export function idOf(buffer: Range["buffer"]): number {
  let id = ids.get(buffer);
  if (id === undefined) {
    id = ++lastId;
    ids.set(buffer, id);
  }
  return id;
}
