import { type Array as JaxArray, jit, numpy as np } from "@jax-js/jax";
import { finished } from "../gpu/arena.ts";
import { CLIP, JAX, JAX_JIT } from "../names.ts";
import type { Contestant, Entry } from "../types.ts";
import type { Context } from "./gradclip.ts";

type Clip = (gradients: JaxArray[]) => { norm: JaxArray; clipped: JaxArray[] };

/** Clipping as Optax does it: g if norm < bound, else g / norm * bound. */
function clipTo(bound: number): Clip {
  return (gradients) => {
    const squares = gradients.map((gradient) => np.sum(np.square(gradient.ref)));
    const norm = np.sqrt(squares.reduce((total, square) => total.add(square)));
    const clipped = gradients.map((gradient) =>
      np.where(np.less(norm.ref, bound), gradient.ref, gradient.div(norm.ref).mul(bound)),
    );
    return { norm, clipped };
  };
}

/** jax-js on the device that it made; float32 only, out of place as everything in JAX. */
export function jaxContestants(context: Context): Contestant[] {
  const { bound } = context.truth;
  const common = { work: "clip", against: CLIP, bytes: 3 * context.arena.bytes, configurations: [{}] } as const;
  return [
    { ...common, name: JAX, enter: () => enter(context, clipTo(bound)) },
    { ...common, name: JAX_JIT, enter: () => enter(context, jit(clipTo(bound)) as unknown as Clip) },
  ];
}

async function enter({ arena }: Context, clip: Clip): Promise<Entry> {
  const gradients = arena.values.map((values) => np.array(values as Float32Array<ArrayBuffer>));
  for (const gradient of gradients) await gradient.blockUntilReady();
  const run = () => clip(gradients.map((gradient) => gradient.ref));
  return {
    async answer() {
      const { norm, clipped } = run();
      const values = [];
      for (const array of clipped) values.push(Float32Array.from((await array.data()) as Float32Array));
      return { norm: Number((await norm.data())[0]), values };
    },
    async time(steps) {
      const start = performance.now();
      for (let step = 0; step < steps; step++) {
        const { norm, clipped } = run();
        // Work starts when a result is requested. This requests results and does not wait.
        for (const array of [norm, ...clipped]) array.gpuBufferSync();
      }
      await finished(arena.device);
      return { clock: (performance.now() - start) / steps };
    },
    destroy() {
      for (const gradient of gradients) gradient.dispose();
    },
  };
}
