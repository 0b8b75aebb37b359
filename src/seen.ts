import type { Prepared } from "./backend.ts";
import { type Gradients, idOf, isGPUBuffer } from "./gradients.ts";

/** How many sets of buffers a clip keeps bind groups for, and so keeps alive: engines with pooled tensors come back to a few. */
const KEPT = 32;

/** What was bound for gradients that were passed before, by identity of their buffers; the least recently used go. */
export class SeenGradients {
  readonly #kept = new Map<string, Prepared>();
  readonly #onGPU: boolean;

  constructor(backend: "webgpu" | "cpu" | undefined, gradients: Gradients, prepared: Prepared) {
    this.#onGPU = backend === "webgpu";
    this.get(gradients, () => prepared);
  }

  get(gradients: Gradients, bind: () => Prepared): Prepared {
    // Arrays cost nothing to bind, and their memory may be detached in between.
    const key = this.#onGPU ? keyOf(gradients) : undefined;
    if (key === undefined) return bind();
    const prepared = this.#kept.get(key) ?? bind();
    this.#kept.delete(key);
    this.#kept.set(key, prepared);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value as string);
    return prepared;
  }
}

/** Undefined for anything unusual: that is read, checked and refused in full. */
function keyOf(gradients: Gradients): string | undefined {
  if (typeof gradients !== "object" || gradients === null) return undefined;
  let key = "";
  for (const gradient of Array.isArray(gradients) ? gradients : Object.values(gradients)) {
    if (gradient === null || gradient === undefined) key += "-;";
    else if (isGPUBuffer(gradient)) key += `${idOf(gradient)};`;
    else if (typeof gradient === "object" && isGPUBuffer(gradient.buffer)) {
      const { buffer, byteOffset, length, dtype, into, parameter, shape } = gradient;
      if (Object.keys(gradient).some((name) => !KEYED.has(name))) return undefined;
      key += `${idOf(buffer)},${byteOffset},${length},${dtype},${shape}`;
      for (const [sign, other] of Object.entries({ ">": into, "/": parameter })) {
        if (other === undefined) continue;
        if (!isGPUBuffer(other?.buffer)) return undefined;
        key += `${sign}${idOf(other.buffer)},${other.byteOffset},${(other as typeof parameter)?.dtype}`;
      }
      key += ";";
    } else return undefined;
  }
  return key;
}

const KEYED = new Set(["buffer", "byteOffset", "length", "dtype", "into", "parameter", "name", "shape"]);
