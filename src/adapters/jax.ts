import { getWebGPUDevice, Array as JaxArray, type JsTree, type JsTreeDef, numpy as np, tree } from "@jax-js/jax";
import { wrongValue } from "../check.ts";
import type { GradientClip } from "../gradientClip.ts";
import { clipByGlobalNorm } from "../methods/clipByGlobalNorm.ts";
import type { ClipMethod } from "../methods/method.ts";
import { recordAt, SKIP } from "../record.ts";
import { type AdapterOptions, type ClipHandle, Clips, refuseOtherDtype } from "./clips.ts";

/** A gradient transformation in the style of Optax. */
export interface GradientTransformation {
  init<Params extends JsTree<np.Array>>(params: Params): JsTree<np.Array>;
  update<Params extends JsTree<np.Array>>(
    updates: Params,
    state: JsTree<np.Array>,
    params?: Params,
  ): [Params, JsTree<np.Array>];
}

/**
 * One that clips, for `chain` or between `valueAndGrad` and the update. Names in reports, `only` and `groupOf` are paths in the
 * tree, such as "layers/0/kernel".
 *
 * Its state is empty: a method's memory stays with the transformation. `update` returns clipped updates in new arrays and consumes its
 * arguments, as everything in jax-js does; a method that uses parameters, such as `adaptiveGradClip`, needs `params` in the tree of the
 * updates. It throws a TypeError under `jit`, `grad` and `vmap`, where there are no arrays yet; for arrays that are not float32; and
 * without the params that the method needs.
 */
export interface ClippingTransformation extends ClipHandle, GradientTransformation {
  /**
   * Whether the last step was skipped: a new bool array without dimensions, for `where` in an apply step that may be under `jit`.
   * On WebGPU it is made on the device by one submit, and nothing is read back.
   * @throws Error before the first step.
   */
  skipped(): np.Array;
  /** Frees gradclip's buffers on the GPU; does not touch arrays. */
  destroy(): void;
}

/**
 * A jax-js gradient transformation that clips: `chain(clipUpdates(clipByGlobalNorm(1)), adam(1e-3))`. For gradients that `vmap`
 * made for n networks, use a method with `members: n`.
 *
 * Arrays on WebGPU are clipped on jax-js's device, with one submit and no read-back. jax-js may read an array after the call that
 * asked for it, and arrays may share a buffer. The clipped gradients are therefore new arrays. Arrays of any other backend are
 * read and clipped on the CPU.
 *
 * @throws TypeError for `measureNorm` and `clipPerExample`, and as `Clipper.prepare` does for the method and options.
 */
export function clipUpdates(
  method: ClipMethod = clipByGlobalNorm(1),
  options?: AdapterOptions,
): ClippingTransformation {
  const clips = new Clips(method, options, "clipUpdates");
  let latest: GradientClip | undefined;
  return {
    init(params) {
      tree.dispose(params);
      return [];
    },
    update(updates, state, params) {
      const [leaves, structure] = tree.flatten<np.Array>(updates);
      const names = namesIn(structure);
      leaves.forEach((leaf, i) => {
        refuse(leaf, labelOf("update", names[i]));
      });
      const parameters = method.parametersOf ? parametersOf(leaves, structure, params, method) : [];
      const isTaken = names.map((name) => clips.takes(name));
      const taken = <T>(list: readonly T[]) => list.filter((_, i) => isTaken[i]);
      const clip = leaves.some((leaf) => leaf.device === "webgpu") ? clipOnGPU : clipOnCPU;
      const [instead, used] = clip(taken(leaves), taken(names), taken(parameters), clips);
      latest = used;
      const clipped = leaves.map((leaf, i) => (isTaken[i] ? (instead.shift() as np.Array) : leaf.ref));
      tree.dispose(updates);
      tree.dispose(params);
      return [tree.unflatten(structure, clipped) as typeof updates, state];
    },
    report: (options) => clips.report(options),
    get lastReport() {
      return clips.lastReport;
    },
    history: () => clips.history(),
    set: (values) => clips.set(values),
    state: () => clips.state(),
    restore: (saved) => clips.restore(saved),
    skipped() {
      if (!latest) throw new Error("No step was skipped or taken yet; call update first.");
      return skippedIn(latest);
    },
    destroy() {
      clips.destroy();
      latest = undefined;
    },
  };
}

/**
 * An optimizer that a skipped step leaves as it is: `chain(clip, skipUpdates(adam(1e-3), clip))`, where `clip` is what
 * `clipUpdates` returned. After such a step the state of `inner` is the one before, to the bit, and every update is -0, which
 * changes no weight that it is added to. Without it, zeroed gradients still move the weights by the moments so far.
 *
 * It decides on the device, and reads nothing back. It keeps the state before each step until the next one is computed.
 */
export function skipUpdates(
  inner: GradientTransformation,
  clip: Pick<ClippingTransformation, "skipped">,
): GradientTransformation {
  return {
    init: (params) => inner.init(params),
    update(updates, state, params) {
      const before = tree.ref(state);
      const [next, after] = inner.update(updates, state, params);
      const skipped = clip.skipped();
      const kept = tree.map((old: np.Array, now: np.Array) => np.where(skipped.ref, old, now), before, after);
      // As a number it would be a constant, of which WGSL makes 0.
      const zero = np.array(Float32Array.of(-0, 1)).slice(0);
      const chosen = tree.map((update: np.Array) => np.where(skipped.ref, zero.ref, update), next);
      tree.dispose([skipped, zero]);
      return [chosen as typeof updates, kept];
    },
  };
}

function skippedIn(clip: GradientClip): np.Array {
  if (!clip.record) return np.array(((clip.flags as number) & SKIP) !== 0);
  // jax-js reads an array when its value is asked for: one that all steps share would show a later step.
  const flags = np.array(new Uint32Array(1), { shape: [], device: "webgpu" });
  const device = getWebGPUDevice();
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(clip.record, recordAt.flags, flags.ref.gpuBufferSync(), 0, 4);
  device.queue.submit([encoder.finish()]);
  return np.notEqual(np.bitwiseAnd(flags, SKIP), 0);
}

/** An array that is the whole tree has an empty path. */
function labelOf(what: "update" | "parameter", name = ""): string {
  return name === "" ? `The ${what}` : `The ${what} ${JSON.stringify(name)}`;
}

function refuse(leaf: unknown, label: string): void {
  if (!(leaf instanceof JaxArray)) {
    throw wrongValue(leaf, label, "arrays, outside of jit, grad and vmap");
  }
  refuseOtherDtype(leaf.dtype, label);
}

/** The parameters, one for each update. */
function parametersOf(
  updates: np.Array[],
  structure: JsTreeDef,
  params: JsTree<np.Array> | undefined,
  method: ClipMethod,
): np.Array[] {
  if (params === undefined) {
    throw new TypeError(`params is undefined, but ${method.name} needs them; pass them to update after the state.`);
  }
  const [parameters, structureOfParams] = tree.flatten<np.Array>(params);
  if (!structureOfParams.equals(structure)) {
    throw new TypeError(
      `params is ${structureOfParams}, but the updates are ${structure}; pass those that they are of.`,
    );
  }
  namesIn(structure).forEach((name, i) => {
    const [label, shape] = [labelOf("parameter", name), updates[i]?.shape];
    refuse(parameters[i], label);
    if (String(parameters[i]?.shape) === String(shape)) return;
    throw new TypeError(`${label} has shape [${parameters[i]?.shape}], but its update has [${shape}]; pass its own.`);
  });
  return parameters;
}

type Clipped = [clipped: np.Array[], clip: GradientClip];

function clipOnGPU(leaves: np.Array[], names: string[], parameters: np.Array[], clips: Clips): Clipped {
  const lengths = new Map<GPUBuffer, number>();
  const copies: np.Array[] = [];
  const clipped = leaves.map(emptyLike);
  const viewOf = (leaf: np.Array, i: number) => {
    const { size: length, shape } = leaf;
    const name = names[i] as string;
    if (length === 0) return { name, shape };
    let buffer = leaf.ref.gpuBufferSync();
    // A part at the start of an array shares that array's buffer, and parts of several lengths would overlap. A gradient of two
    // parameters, as that of x + y, has two bounds.
    if (lengths.has(buffer) && (parameters.length > 0 || lengths.get(buffer) !== length)) {
      const copy = np.add(leaf.ref, 0);
      copies.push(copy);
      buffer = copy.ref.gpuBufferSync();
    }
    lengths.set(buffer, length);
    const into = { buffer: (clipped[i] as np.Array).ref.gpuBufferSync() };
    const parameter = parameters[i] && { buffer: parameters[i].ref.gpuBufferSync() };
    return { name, shape, length, buffer, into, parameter };
  };
  try {
    const views = leaves.map(viewOf);
    const { clip, gradients } = clips.for(views, getWebGPUDevice());
    clip.run(gradients);
    return [clipped, clip];
  } catch (error) {
    tree.dispose(clipped);
    throw error;
  } finally {
    tree.dispose(copies);
  }
}

/**
 * The most elements that a new array gets from the host. jax-js makes no array that is not filled. A fill on the GPU is a dispatch
 * with a submit of its own; a write costs no command, but carries 4 bytes an element.
 */
const MOST_WRITTEN = 65_536;
/** Shared by all writes, and never changed. */
let zeros = new Float32Array(0);

function emptyLike({ shape, size, device }: np.Array): np.Array {
  if (size === 0 || size > MOST_WRITTEN) return np.zeros(shape, { device });
  if (size > zeros.length) zeros = new Float32Array(size);
  return np.array(zeros.subarray(0, size), { shape, device });
}

function clipOnCPU(leaves: np.Array[], names: string[], parameters: np.Array[], clips: Clips): Clipped {
  // These are copies: jax-js never gives out the memory that it computes with.
  const dataOf = (array: np.Array) => array.ref.dataSync() as Float32Array<ArrayBuffer>;
  const views = leaves.map((leaf, i) => {
    const parameter = parameters[i] && { buffer: dataOf(parameters[i]) };
    return { name: names[i] as string, shape: leaf.shape, length: leaf.size, buffer: dataOf(leaf), parameter };
  });
  const { clip, gradients } = clips.for(views);
  clip.run(gradients);
  const clipped = leaves.map((leaf, i) => {
    const { shape, device, size } = leaf;
    // jax-js cannot make an array without data.
    return size === 0 ? leaf.ref : np.array((views[i] as (typeof views)[number]).buffer, { shape, device });
  });
  return [clipped, clip];
}

/** The path of each leaf. */
function namesIn({ nodeType, nodeMetadata, childTreedefs }: JsTreeDef, path: string[] = []): string[] {
  if (nodeType === "Leaf") return [path.join("/")];
  return childTreedefs.flatMap((child, i) => namesIn(child, [...path, nodeMetadata?.[i] ?? i]));
}
