/** How the tensors of a unit lie in memory: the same layout for ArrayBuffers and for GPUBuffers. */
import type { Gradient, Gradients } from "../../src/index.ts";
import { fail } from "./expect.ts";
import { widened16 } from "./numbers.ts";
import type { Bits, Images, Place, Tensor, Unit } from "./types.ts";

/** Guard bytes after the last tensor of a shared memory. Cases leave as many before the first. */
export const GUARD_BYTES = 256;

// A signalling NaN and a large number: counted into a norm, either would show, and so would a guard that was multiplied.
const GUARD_WORDS = [0x7fa5c3c3, 0x4e5a3c3c] as const;
// The same for each half of a word, whether it is read as float16 or as bfloat16.
const GUARD_HALVES = [0x7fa5ffc3, 0x4e5a4e3c] as const;

/** Where a tensor's gradient is. A tensor without a place has a memory of its own. */
export function source(tensor: Tensor, index: number): Place {
  return tensor.place ?? { memory: `own ${index}`, byteOffset: 0 };
}

/** Where its result is. */
export function destination(tensor: Tensor, index: number): Place {
  return tensor.into ?? source(tensor, index);
}

/** Where its parameter is. */
function parameterPlace({ parameter }: Tensor, index: number): Place {
  return parameter?.place ?? { memory: `parameter ${index}`, byteOffset: 0 };
}

/** The tensor in the format of its results. */
export function asWritten({ intoDtype, ...tensor }: Tensor): Tensor {
  const { dtype = "f32", bits } = tensor;
  if (intoDtype === undefined || dtype === "f32") return tensor;
  return { ...tensor, bits: widened16(dtype, bits), dtype: intoDtype };
}

/** How much of its destination a tensor takes. */
export function written(tensor: Tensor): Tensor {
  const length = tensor.intoLength ?? tensor.bits.length;
  const { bits, ...rest } = asWritten(tensor);
  return { ...rest, bits: bits.subarray(0, length) };
}

export function wordsAt(images: Images, { memory, byteOffset }: Place, length: number, what: string): Uint32Array {
  const image = images.get(memory);
  if (!image) fail(`${what}: no memory "${memory}"`);
  const start = byteOffset / 4;
  if (!Number.isInteger(start)) fail(`${what}: not at a whole word`);
  if (start + length > image.length) fail(`${what}: "${memory}" is too small`);
  return image.subarray(start, start + length);
}

/** A tensor's elements, wherever it lies. */
export function bitsAt(
  images: Images,
  { memory, byteOffset }: Place,
  { bits }: Pick<Tensor, "bits">,
  what: string,
): Bits {
  const image = images.get(memory) ?? fail(`${what}: no memory "${memory}"`);
  if (byteOffset + bits.byteLength > image.byteLength) fail(`${what}: "${memory}" is too small`);
  const start = image.byteOffset + byteOffset;
  if (bits instanceof Uint16Array) return new Uint16Array(image.buffer, start, bits.length);
  return new Uint32Array(image.buffer, start, bits.length);
}

/** The contents of every memory before the library runs. */
export function initialImages(tensors: Unit["tensors"]): Images {
  const sizes = new Map<string, number>();
  const halves = new Set<string>();
  const guarded = new Set<string>();
  const claim = ({ memory, byteOffset }: Place, byteLength: number, guard: number) => {
    if (guard > 0 || byteLength % 4 > 0) guarded.add(memory);
    sizes.set(memory, Math.max(sizes.get(memory) ?? 0, byteOffset + byteLength + guard));
  };
  tensors.forEach((tensor, index) => {
    if (!tensor) return;
    const { memory } = source(tensor, index);
    claim(source(tensor, index), tensor.bits.byteLength, tensor.place ? GUARD_BYTES : 0);
    if (tensor.into) claim(tensor.into, written(tensor).bits.byteLength, GUARD_BYTES);
    const { parameter } = tensor;
    if (parameter) {
      const place = parameterPlace(tensor, index);
      claim(place, parameter.bits.byteLength, parameter.place ? GUARD_BYTES : 0);
      if (parameter.dtype) halves.add(place.memory);
    }
    if (tensor.dtype) halves.add(memory).add(destination(tensor, index).memory);
  });
  const images = new Map<string, Uint32Array>();
  for (const [memory, bytes] of sizes) {
    const length = Math.ceil(bytes / 4);
    // What has a memory of its own fills it.
    images.set(memory, guarded.has(memory) ? guardWords(length, halves.has(memory)) : new Uint32Array(length));
  }
  tensors.forEach((tensor, index) => {
    if (!tensor) return;
    bitsAt(images, source(tensor, index), tensor, `tensor ${index}`).set(tensor.bits);
    const { parameter } = tensor;
    if (parameter) {
      bitsAt(images, parameterPlace(tensor, index), parameter, `parameter ${index}`).set(parameter.bits);
    }
  });
  return images;
}

function guardWords(length: number, halves: boolean): Uint32Array {
  const words = new Uint32Array(length);
  for (let i = 0; i < length; i++) words[i] = (halves ? GUARD_HALVES : GUARD_WORDS)[i % 2] as number;
  return words;
}

/** The library's view of the tensors, over the handle of each memory: a Float32Array or a GPUBuffer. */
export function gradientsOver(
  { tensors, named }: Pick<Unit, "tensors" | "named">,
  handle: (memory: string) => GPUBuffer | Float32Array,
): Gradients {
  const gradients = tensors.map((tensor, index) => (tensor ? gradientOver(tensor, index, handle) : tensor));
  if (!named) return gradients;
  return Object.fromEntries(gradients.map((gradient, index) => [tensors[index]?.name ?? `absent ${index}`, gradient]));
}

/** What prepare is given, and what the step is given if that is something else. */
export function atPrepareAndStep(unit: Unit, gradients: Gradients): [atPrepare: Gradients, atStep?: Gradients] {
  const { tensors, absent = [], late = [], present } = unit;
  if (absent.length + late.length === 0 && present === undefined) return [gradients];
  const declared = (index: number) => {
    const { bits, dtype, shape, name, group } = tensors[index] ?? fail(`${unit.label}: no tensor ${index} to declare`);
    return { length: bits.length, ...defined({ dtype, shape, name, group }) };
  };
  return [
    mapped(gradients, (gradient, i) => (late.includes(i) ? declared(i) : gradient)),
    mapped(gradients, (gradient, i) => (absent.includes(i) ? null : firstOf(unit, gradient, i))),
  ];
}

/** The first examples of a gradient. */
function firstOf({ tensors, present, rule }: Unit, gradient: Entry, index: number): Entry {
  const { examples } = rule.method;
  const tensor = tensors[index];
  if (present === undefined || !examples || !gradient || !tensor) return gradient;
  const length = (tensor.bits.length * present) / examples;
  const view =
    ArrayBuffer.isView(gradient) || !("buffer" in gradient) ? { buffer: gradient as Float32Array } : gradient;
  return { ...view, length };
}

/** Without the properties that are undefined. */
function defined<T extends object>(properties: T): Partial<T> {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as Partial<T>;
}

type Entry = Gradient | null | undefined;

function mapped(gradients: Gradients, change: (gradient: Entry, index: number) => Entry): Gradients {
  if (Symbol.iterator in gradients) return [...(gradients as Iterable<Entry>)].map(change);
  return Object.fromEntries(Object.entries(gradients).map(([name, gradient], i) => [name, change(gradient, i)]));
}

function gradientOver(tensor: Tensor, index: number, handle: (memory: string) => GPUBuffer | Float32Array): Gradient {
  const buffer = stored(handle(source(tensor, index).memory), tensor);
  const { place, into, intoDtype, name, dtype, shape, group, parameter } = tensor;
  const length = tensor.bits.length;
  const extras = {
    ...(into ? { into: { ...intoOver(tensor, into, handle), ...(intoDtype && { dtype: intoDtype }) } } : {}),
    ...(name === undefined ? {} : { name }),
    ...(dtype ? { dtype } : {}),
    ...(shape ? { shape } : {}),
    ...(group ? { group } : {}),
    ...(parameter ? { parameter: parameterOver(tensor, index, handle) } : {}),
    // Memory is a whole number of words.
    ...(dtype && !place && length % 2 === 1 ? { length } : {}),
  };
  if (!place && Object.keys(extras).length === 0) return buffer as Gradient;
  if (!place) return { buffer, ...extras };
  if (tensor.subarray && ArrayBuffer.isView(buffer)) {
    const array = buffer as Float32Array | Uint16Array;
    const start = place.byteOffset / array.BYTES_PER_ELEMENT;
    const part = array.subarray(start, start + length);
    return part instanceof Float32Array ? part : { buffer: part, ...extras };
  }
  return { buffer, byteOffset: place.byteOffset, length, ...extras };
}

function intoOver(tensor: Tensor, { memory, byteOffset }: Place, handle: (memory: string) => GPUBuffer | Float32Array) {
  return { buffer: stored(handle(memory), written(tensor)), byteOffset };
}

function parameterOver(tensor: Tensor, index: number, handle: (memory: string) => GPUBuffer | Float32Array) {
  const parameter = tensor.parameter as NonNullable<Tensor["parameter"]>;
  const { memory, byteOffset } = parameterPlace(tensor, index);
  const { dtype } = parameter;
  return { buffer: stored(handle(memory), parameter), byteOffset, ...(dtype ? { dtype } : {}) };
}

/** On the CPU, the array that holds such elements. */
function stored(
  memory: GPUBuffer | Float32Array,
  { bits }: Pick<Tensor, "bits">,
): GPUBuffer | Float32Array | Uint16Array {
  if (!(memory instanceof Float32Array) || !(bits instanceof Uint16Array)) return memory;
  return new Uint16Array(memory.buffer);
}
