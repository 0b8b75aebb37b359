/** How the tensors of a unit lie in memory: the same layout for ArrayBuffers and for GPUBuffers. */
import type { Gradient, Gradients } from "../../src/index.ts";
import { fail } from "./expect.ts";
import type { Images, Place, Tensor, Unit } from "./types.ts";

/** Guard bytes after the last tensor of a shared memory. Cases leave as many before the first. */
export const GUARD_BYTES = 256;

// A signalling NaN and a large number: counted into a norm, either would show, and so would a guard that was multiplied.
const GUARD_WORDS = [0x7fa5c3c3, 0x4e5a3c3c] as const;

/** Where a tensor's gradient is. A tensor without a place has a memory of its own. */
export function source(tensor: Tensor, index: number): Place {
  return tensor.place ?? { memory: `own ${index}`, byteOffset: 0 };
}

/** Where its result is. */
export function destination(tensor: Tensor, index: number): Place {
  return tensor.into ?? source(tensor, index);
}

export function wordsAt(images: Images, { memory, byteOffset }: Place, length: number, what: string): Uint32Array {
  const image = images.get(memory);
  if (!image) fail(`${what}: no memory "${memory}"`);
  const start = byteOffset / 4;
  if (!Number.isInteger(start)) fail(`${what}: not at a whole word`);
  if (start + length > image.length) fail(`${what}: "${memory}" is too small`);
  return image.subarray(start, start + length);
}

/** The contents of every memory before the library runs. */
export function initialImages(tensors: Unit["tensors"]): Images {
  const sizes = new Map<string, number>();
  const claim = ({ memory, byteOffset }: Place, byteLength: number, guard: number) => {
    sizes.set(memory, Math.max(sizes.get(memory) ?? 0, byteOffset + byteLength + guard));
  };
  tensors.forEach((tensor, index) => {
    if (!tensor) return;
    claim(source(tensor, index), tensor.bits.byteLength, tensor.place ? GUARD_BYTES : 0);
    if (tensor.into) claim(tensor.into, tensor.bits.byteLength, GUARD_BYTES);
  });
  const images = new Map<string, Uint32Array>();
  for (const [memory, bytes] of sizes) images.set(memory, guardWords(bytes / 4));
  tensors.forEach((tensor, index) => {
    if (tensor) wordsAt(images, source(tensor, index), tensor.bits.length, `tensor ${index}`).set(tensor.bits);
  });
  return images;
}

function guardWords(length: number): Uint32Array {
  const words = new Uint32Array(length);
  for (let i = 0; i < length; i++) words[i] = GUARD_WORDS[i % 2] as number;
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

function gradientOver(tensor: Tensor, index: number, handle: (memory: string) => GPUBuffer | Float32Array): Gradient {
  const buffer = handle(source(tensor, index).memory);
  const { place, into, name } = tensor;
  const length = tensor.bits.length;
  const extras = {
    ...(into ? { into: { buffer: handle(into.memory), byteOffset: into.byteOffset } } : {}),
    ...(name === undefined ? {} : { name }),
  };
  if (!place) return Object.keys(extras).length === 0 ? buffer : { buffer, ...extras };
  if (tensor.subarray && buffer instanceof Float32Array) {
    return buffer.subarray(place.byteOffset / 4, place.byteOffset / 4 + length);
  }
  return { buffer, byteOffset: place.byteOffset, length, ...extras };
}
