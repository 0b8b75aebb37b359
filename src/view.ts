import {
  counted,
  isCount,
  isPlain,
  readOneOf,
  readOptions,
  readThat,
  refuseTypeGPU,
  refuseUnknownKeys,
  shown,
  wrongValue,
} from "./check.ts";
import {
  arrayType,
  bufferOf,
  byteOffsetOf,
  type Dtype,
  ELEMENT_BYTES,
  isGPUBuffer,
  isSame,
  type Range,
  rangeIn,
} from "./ranges.ts";

/** Part of a buffer. Pass `length`, the logical number of elements, if an engine's pooled buffer is longer than its tensor. */
export interface GradientView {
  /**
   * A GPUBuffer, or an array that fits the dtype: a Float32Array for f32, a Float16Array or Uint16Array for f16, a Uint16Array
   * for bf16, or a Uint8Array of the bytes. A view without a buffer, such as `{ length: 768, shape: [3, 256], name: "expert" }`,
   * declares a gradient. It is absent until a step brings it.
   */
  buffer?: GPUBuffer | ArrayBufferView;
  /** A multiple of the element size; default 0. In an array it counts from the array's start. */
  byteOffset?: number;
  /** The number of elements; default: up to the end of the buffer. A view without a buffer needs it. */
  length?: number;
  /**
   * Default `"f32"`, and `"f16"` for a Float16Array. 16-bit elements are packed two a 32-bit word, little-endian, and do not need
   * shader-f16. Norms are computed in float32. Clipped values are rounded to the nearest, ties to even.
   */
  dtype?: Dtype;
  /**
   * Where the clipped gradient is written. The gradient itself then stays unchanged. The dtype is the gradient's; under a 16-bit gradient
   * it may be `"f32"`, for as many float32: then no result is rounded to 16 bits. `{ buffer: gradient, dtype: "f16", into: { buffer:
   * master, dtype: "f32" } }`, with `gradScale: 1 / lossScale`, unscales a gradient of 2^-20 that float16 would round to 0.
   */
  into?: { buffer: GPUBuffer | ArrayBufferView; byteOffset?: number; dtype?: "f32" };
  /** The gradient's parameter, with as many elements, for `adaptiveGradClip`. It is only read. */
  parameter?: { buffer: GPUBuffer | ArrayBufferView; byteOffset?: number; dtype?: Dtype };
  name?: string;
  /** For `clipByGroupNorm`. The group that prepare was given holds for all steps. */
  group?: string;
  /** The dimensions, for methods that work along axes. */
  shape?: readonly number[];
}

/** A whole buffer or array of float32, or part of one of any format: `buffer`, or `{ buffer, byteOffset: 256, length: 10 }`. */
export type Gradient = GPUBuffer | Float32Array | GradientView;

/** What is known of a gradient even when a step lacks it. */
export interface Declared {
  /** Its place in the caller's list. */
  readonly index: number;
  readonly name?: string;
  readonly label: string;
  /** The number of elements. */
  readonly length: number;
  readonly dtype: Dtype;
  readonly shape?: readonly number[];
  /** As the caller gave it. */
  readonly group?: unknown;
}

/** A gradient that is present, checked. */
export interface Tensor extends Declared {
  readonly source: Range;
  readonly into?: Range & { readonly dtype: Dtype };
  readonly parameter?: { readonly source: Range; readonly dtype: Dtype };
}

const VIEW_KEYS = ["buffer", "byteOffset", "length", "dtype", "into", "parameter", "name", "group", "shape"] as const;
/** What a view without a buffer may have. */
const DECLARED_KEYS = ["length", "dtype", "name", "group", "shape"] as const;
/** What an into and a parameter may have. */
const OTHER_KEYS = ["buffer", "byteOffset", "dtype"] as const;
export const ACCEPTED = "a GPUBuffer, a Float32Array or a view { buffer, byteOffset, length }";
const DTYPES = Object.keys(ELEMENT_BYTES) as Dtype[];

type Read<K extends string> = { readonly [P in K]?: unknown };

/** The caller's view, read but not checked. Nothing reads the caller's object again. */
export interface GivenView extends Read<(typeof VIEW_KEYS)[number]> {
  /** Whether it has no buffer, and only declares a gradient. */
  readonly isDeclared?: boolean;
  readonly name?: string;
  readonly into?: Read<(typeof OTHER_KEYS)[number]>;
  readonly parameter?: Read<(typeof OTHER_KEYS)[number]>;
}

type Properties = { -readonly [P in keyof GivenView]: unknown };

/** Every property is a view's own: one of Object.prototype is not a property of a view. */
const UNREAD: Properties = Object.fromEntries(["isDeclared", ...VIEW_KEYS].map((key) => [key, undefined]));

export function isPresent(tensor: Declared | undefined): tensor is Tensor {
  return tensor !== undefined && "source" in tensor;
}

export function declaredOf({ index, name, label, length, dtype, shape, group }: Declared): Declared {
  return { index, name, label, length, dtype, shape, group };
}

export function labelOf(index: number, name: string | undefined): string {
  return name === undefined ? `gradients[${index}]` : `gradients[${index}] ${JSON.stringify(name)}`;
}

/** @param name the gradient's name if its view has none. */
export function readView(gradient: unknown, index: number, name: string | undefined): GivenView {
  if (isGPUBuffer(gradient) || isBareArray(gradient)) return { ...UNREAD, buffer: gradient } as GivenView;
  const label = labelOf(index, name);
  refuseTypeGPU(gradient, label);
  if (typeof gradient !== "object" || gradient === null || ArrayBuffer.isView(gradient) || !isView(gradient)) {
    const remedy = isHalf(gradient) ? 'a view { buffer, dtype: "f16" } or { buffer, dtype: "bf16" }' : ACCEPTED;
    throw wrongValue(gradient, label, remedy);
  }
  const isObject = isPlain(gradient);
  const given: Properties = { ...UNREAD };
  given.isDeclared = isObject && !Object.hasOwn(gradient, "buffer");
  const [subject, known] = given.isDeclared ? [`${label} without a buffer`, DECLARED_KEYS] : [label, VIEW_KEYS];
  const keys = refuseUnknownKeys<(typeof VIEW_KEYS)[number]>(gradient, subject, known);
  // An engine's view may be an instance of a class with getters.
  for (const key of isObject ? keys : VIEW_KEYS) given[key] = (gradient as Partial<GradientView>)[key];
  const { name: own, into, parameter, shape } = given;
  if (own !== undefined && typeof own !== "string") {
    throw wrongValue(own, `${label}.name`, "a string");
  }
  const read = (value: unknown, key: string) =>
    value === undefined ? undefined : readOptions(value, `${labelOf(index, own ?? name)}.${key}`, OTHER_KEYS);
  given.into = read(into, "into");
  given.parameter = read(parameter, "parameter");
  if (Array.isArray(shape)) given.shape = [...shape];
  return given as GivenView;
}

function isView(gradient: object): boolean {
  return "buffer" in gradient || (isPlain(gradient) && "length" in gradient);
}

/** The name of a gradient that has no other name. */
export function labelOfBuffer({ buffer }: GivenView): string | undefined {
  return (isGPUBuffer(buffer) && buffer.label) || undefined;
}

/** Whether the array's type gives its dtype. */
function isBareArray(value: unknown): boolean {
  return ["Float32Array", "Float16Array"].includes(arrayType(value) ?? "");
}

/** Whether the array has 16-bit elements, which may be float16 or bfloat16. */
function isHalf(value: unknown): boolean {
  return ArrayBuffer.isView(value) && (value as Partial<Uint16Array>).BYTES_PER_ELEMENT === 2;
}

/**
 * @param examples `into` has room for one of them: their sum is written there.
 * @param most at a step with examples: how long the gradient is with all of them. The first ones may be all that there are.
 */
export function checkView(
  given: GivenView,
  known: Pick<Declared, "index" | "name" | "group">,
  examples: number,
  most: number | undefined,
): Declared {
  const { index, name, group } = known;
  const label = labelOf(index, name);
  const dtype = dtypeOf(given.dtype, given.buffer, label);
  if (given.isDeclared) {
    const length = readLength(given.length, label);
    return { index, name, label, length, dtype, shape: checkShape(given.shape, length, label), group };
  }
  const source = rangeOf(given, dtype, label);
  const present = source.byteLength / ELEMENT_BYTES[dtype];
  const shape = checkShape(given.shape, present, label);
  const length = most && present < most && present % (most / examples) === 0 ? most : present;
  const into = given.into && checkInto(given.into, source, Math.floor(length / examples), dtype, `${label}.into`);
  const parameter = given.parameter && checkParameter(given.parameter, length, `${label}.parameter`);
  // Written out: an object with more properties than one that is spread into it has a hidden class of its own in V8.
  const tensor: Tensor = { index, name, group, label, length, dtype, shape, source, into, parameter };
  return tensor;
}

function rangeOf(
  { buffer, byteOffset, length }: Read<"buffer" | "byteOffset" | "length">,
  dtype: Dtype,
  label: string,
): Range {
  const memory = bufferOf(buffer, dtype, label);
  const start = byteOffsetOf(byteOffset, ELEMENT_BYTES[dtype], label);
  return rangeIn(memory, start, lengthOf(length, dtype, start, memory.byteLength, label), dtype, label);
}

function dtypeOf(value: unknown, buffer: unknown, label: string): Dtype {
  if (value !== undefined) return readOneOf(value, `${label}.dtype`, DTYPES);
  if (arrayType(buffer) === "Float16Array") return "f16";
  if (isHalf(buffer)) {
    throw new TypeError(`${label}.buffer is ${shown(buffer)} and its dtype is missing; add dtype: "f16" or "bf16".`);
  }
  return "f32";
}

function lengthOf(value: unknown, dtype: Dtype, byteOffset: number, size: number, label: string): number {
  const bytes = size - byteOffset;
  const elementBytes = ELEMENT_BYTES[dtype];
  if (bytes < 0) {
    throw new RangeError(
      `${label} starts at byte ${byteOffset} of a buffer of ${counted(size, "byte")}; start inside it.`,
    );
  }
  if (value === undefined) {
    if (bytes % elementBytes === 0) return bytes / elementBytes;
    throw new RangeError(
      `${label} spans ${counted(bytes, "byte")}, which is not a multiple of ${elementBytes}; pass its length in elements.`,
    );
  }
  return readLength(value, label);
}

function readLength(value: unknown, label: string): number {
  return readThat(isCount, value, `${label}.length`, "a whole number of elements");
}

function checkShape(shape: unknown, length: number, label: string): readonly number[] | undefined {
  if (shape === undefined) return undefined;
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw wrongValue(shape, `${label}.shape`, "a list of whole numbers");
  }
  if (shape.reduce((product, size) => product * size, 1) !== length) {
    throw new RangeError(
      `${label}.shape is [${shape}], but it has ${counted(length, "element")}; pass a shape with as many.`,
    );
  }
  return shape;
}

function checkInto(
  { buffer, byteOffset, dtype: given }: NonNullable<GivenView["into"]>,
  source: Range,
  length: number,
  from: Dtype,
  label: string,
): Tensor["into"] {
  const dtype = given === undefined ? from : readOneOf(given, `${label}.dtype`, ["f32"]);
  const range = rangeOf({ buffer, byteOffset, length }, dtype, label);
  // Without an into the sum is written to the first example's place.
  if (dtype === from && isSame(range, { ...source, byteLength: range.byteLength })) return undefined;
  return { ...range, dtype };
}

function checkParameter(
  { buffer, byteOffset, dtype: given }: NonNullable<GivenView["parameter"]>,
  length: number,
  label: string,
): Tensor["parameter"] {
  const dtype = dtypeOf(given, buffer, label);
  return { source: rangeOf({ buffer, byteOffset, length }, dtype, label), dtype };
}
