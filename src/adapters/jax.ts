import { getWebGPUDevice, Array as JaxArray, type JsTree, type JsTreeDef, numpy as np, tree } from "@jax-js/jax";
import { options as readOptions, shown } from "../check.ts";
import { clipByGlobalNorm } from "../methods/clipByGlobalNorm.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipReport } from "../record.ts";
import { type AdapterOptions, Clips, type ReportOptions } from "./clips.ts";

/** A gradient transformation as Optax has it, for `chain` or between `valueAndGrad` and the update. */
export interface ClippingTransformation {
  /** The state is empty; what a method remembers stays with the transformation. */
  init<Params extends JsTree<np.Array>>(params: Params): JsTree<np.Array>;
  /**
   * Clipped updates in new arrays; consumes what it is given, as everything in jax-js does.
   * @throws TypeError under `jit`, `grad` and `vmap`, where there are no arrays yet, and for other arrays than float32.
   */
  update<Params extends JsTree<np.Array>>(
    updates: Params,
    state: JsTree<np.Array>,
    params?: Params,
  ): [Params, JsTree<np.Array>];
  /**
   * What the last step found and did; names are paths in the tree, such as "layers/0/kernel".
   * @throws (as a rejection) Error before the first step, and as `Clip.report` does.
   */
  report(options?: ReportOptions): Promise<ClipReport>;
  /** Frees what gradclip keeps on the GPU; arrays are not touched. */
  destroy(): void;
}

/**
 * A gradient transformation of jax-js that clips: `chain(clipUpdates(clipByGlobalNorm(1)), adam(1e-3))`. Gradients that
 * `vmap` made for n networks take a method with `members: n`.
 *
 * Arrays on WebGPU are clipped on jax-js's device with one submit and nothing read back. jax-js may read an array later
 * than it was asked to, and arrays may share a buffer, so the clipped gradients go to new arrays. Arrays of any other
 * backend are read and clipped on the CPU.
 *
 * @throws as `Clipper.prepare` does for the method and options.
 */
export function clipUpdates(
  method: ClipMethod = clipByGlobalNorm(1),
  options?: AdapterOptions,
): ClippingTransformation {
  readOptions(options, "clipUpdates's options", ["nonFinite", "gradScale"]);
  const clips = new Clips(method, options);
  return {
    init(params) {
      tree.dispose(params);
      return [];
    },
    update(updates, state, params) {
      const [leaves, structure] = tree.flatten<np.Array>(updates);
      const names = namesIn(structure);
      leaves.forEach((leaf, i) => {
        refuse(leaf, names[i] as string);
      });
      const clip = leaves.some((leaf) => leaf.device === "webgpu") ? clipOnGPU : clipOnCPU;
      const clipped = clip(leaves, names, clips);
      tree.dispose(updates);
      tree.dispose(params);
      return [tree.unflatten(structure, clipped) as typeof updates, state];
    },
    report: async (options) => clips.report(options),
    destroy: () => clips.destroy(),
  };
}

function refuse(leaf: unknown, name: string): void {
  if (!(leaf instanceof JaxArray)) {
    throw new TypeError(
      `The update ${JSON.stringify(name)} is ${shown(leaf)}; pass arrays, outside of jit, grad and vmap.`,
    );
  }
  if (leaf.dtype !== "float32") {
    throw new TypeError(`The update ${JSON.stringify(name)} is of ${leaf.dtype}; convert it to float32.`);
  }
}

function clipOnGPU(leaves: np.Array[], names: string[], clips: Clips): np.Array[] {
  const lengths = new Map<GPUBuffer, number>();
  const copies: np.Array[] = [];
  const clipped = leaves.map(({ shape, device }) => np.zeros(shape, { device }));
  const views = leaves.map((leaf, i) => {
    const { size: length, shape } = leaf;
    if (length === 0) return null;
    let buffer = leaf.ref.gpuBufferSync();
    // The beginning of an array lies in that array's buffer. Beginnings of several lengths would overlap.
    if ((lengths.get(buffer) ?? length) !== length) {
      const copy = np.add(leaf.ref, 0);
      copies.push(copy);
      buffer = copy.ref.gpuBufferSync();
    }
    lengths.set(buffer, length);
    return { name: names[i], shape, length, buffer, into: { buffer: (clipped[i] as np.Array).ref.gpuBufferSync() } };
  });
  clips.for(views, getWebGPUDevice()).run(views);
  tree.dispose(copies);
  return clipped;
}

function clipOnCPU(leaves: np.Array[], names: string[], clips: Clips): np.Array[] {
  const views = leaves.map((leaf, i) => {
    // A copy: jax-js gives nobody the memory that it computes with.
    const buffer = leaf.ref.dataSync() as Float32Array<ArrayBuffer>;
    return { name: names[i], shape: leaf.shape, length: leaf.size, buffer };
  });
  clips.for(views).run(views);
  return leaves.map((leaf, i) => {
    const { shape, device, size } = leaf;
    // jax-js makes no array of no data.
    return size === 0 ? leaf.ref : np.array((views[i] as (typeof views)[number]).buffer, { shape, device });
  });
}

/** The path of each leaf. */
function namesIn({ nodeType, nodeMetadata, childTreedefs }: JsTreeDef, path: string[] = []): string[] {
  if (nodeType === "Leaf") return [path.join("/")];
  return childTreedefs.flatMap((child, i) => namesIn(child, [...path, nodeMetadata?.[i] ?? i]));
}
