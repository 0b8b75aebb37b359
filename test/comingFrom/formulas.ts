/**
 * How other systems clip, step by step as they publish it and each step rounded to float32. Written from their formulas,
 * without a line of src/: what the page says of them is computed, not copied from here or there.
 */
const f = Math.fround;

function sumOfSquares(gradients: readonly number[]): number {
  return gradients.reduce((sum, g) => f(sum + f(f(g) * f(g))), 0);
}

export function l2(gradients: readonly number[]): number {
  return f(Math.sqrt(sumOfSquares(gradients)));
}

export function scaled(gradients: readonly number[], factor: number): number[] {
  return gradients.map((g) => f(f(g) * f(factor)));
}

/** `torch.nn.utils.clip_grad_norm_`: min(max_norm / (norm + 1e-6), 1), multiplied in always. Also MLX, Apex. */
export function pytorch(gradients: readonly number[], maxNorm: number, norm = l2(gradients)): number[] {
  return scaled(gradients, Math.min(f(f(maxNorm) / f(norm + f(1e-6))), 1));
}

/** `torch.nn.utils.clip_grad_value_`: from below, then from above. */
export function pytorchValue(gradients: readonly number[], limit: number): number[] {
  return gradients.map((g) => Math.min(Math.max(f(g), -limit), limit));
}

/** `tf.clip_by_global_norm`: c * min(1 / norm, 1 / c), the norm being the root of twice the half-squares. */
export function tfGlobalNorm(gradients: readonly number[], clipNorm: number, useNorm?: number): number[] {
  const c = f(clipNorm);
  const norm = useNorm ?? f(Math.sqrt(f(2 * f(sumOfSquares(gradients) / 2))));
  const scale = f(c * Math.min(f(1 / norm), f(1 / c)));
  return scaled(gradients, f(scale + f(norm - norm)));
}

/** `tf.clip_by_norm`: t * c / max(norm, c), for each tensor. Also Keras' `clipnorm`, where it is positive. */
export function tfNorm(gradients: readonly number[], clipNorm: number): number[] {
  const c = f(clipNorm);
  return gradients.map((g) => f(f(f(g) * c) / Math.max(l2(gradients), c)));
}

/** `tf.clip_by_value`: from above, then from below. */
export function tfValue(gradients: readonly number[], min: number, max: number): number[] {
  return gradients.map((g) => Math.max(Math.min(f(g), max), min));
}

/** Keras' optimizers clip where the setting is positive. */
export function keras(
  clip: (gradients: readonly number[], bound: number) => number[],
  gradients: readonly number[],
  setting: number,
): number[] {
  return setting > 0 ? clip(gradients, setting) : [...gradients];
}

/** `optax.clip_by_global_norm`: as they are where norm < max_norm, else t / norm * max_norm. */
export function optax(gradients: readonly number[], maxNorm: number): number[] {
  const norm = l2(gradients);
  return gradients.map((g) => (norm < f(maxNorm) ? f(g) : f(f(f(g) / norm) * f(maxNorm))));
}

/** `optax.clip_by_block_rms`: u / max(1, rms / threshold). */
export function optaxBlockRms(gradients: readonly number[], threshold: number): number[] {
  const rms = f(Math.sqrt(f(sumOfSquares(gradients) / gradients.length)));
  return gradients.map((g) => f(f(g) / Math.max(1, f(rms / f(threshold)))));
}

/** One unit of `optax.adaptive_grad_clip` and of timm's `agc`: both divide by no less than 1e-6. */
export function adaptive(gradients: readonly number[], parameters: readonly number[], clipping: number): number[] {
  const maxNorm = f(f(clipping) * Math.max(l2(parameters), f(1e-3)));
  const norm = l2(gradients);
  if (norm < maxNorm) return gradients.map(f);
  return gradients.map((g) => f(f(g) * f(maxNorm / Math.max(norm, f(1e-6)))));
}

/** `optax.per_example_global_norm_clip`: the sum of min(C / norm, 1) * g, a NaN of that quotient counting as 1. */
export function optaxPerExample(examples: readonly (readonly number[])[], maxNorm: number): number[] {
  const clipped = examples.map((g) => {
    const factor = Math.min(f(f(maxNorm) / l2(g)), 1);
    return scaled(g, Number.isNaN(factor) ? 1 : factor);
  });
  return summed(clipped);
}

/** Opacus, flat: the sum of min(1, C / (norm + 1e-6)) * g. */
export function opacus(examples: readonly (readonly number[])[], maxNorm: number): number[] {
  return summed(examples.map((g) => scaled(g, Math.min(1, f(f(maxNorm) / f(l2(g) + f(1e-6)))))));
}

/** Opacus by layer, one example: each layer by its own bound. */
export function opacusByLayer(layers: readonly (readonly number[])[], maxNorms: readonly number[]): number[][] {
  return layers.map((layer, k) => opacus([layer], maxNorms[k] as number));
}

/** OLMo-core's `SkipStepOptimizer`: the last norm against the mean and deviation of up to 128 before it. */
export function olmoCoreSkips(norms: readonly number[]): boolean {
  const before = norms.slice(-129, -1);
  const mean = before.reduce((sum, norm) => sum + norm, 0) / before.length;
  const squares = before.reduce((sum, norm) => sum + (norm - mean) ** 2, 0);
  return (norms.at(-1) as number) - mean > 6 * Math.sqrt(squares / (before.length - 1));
}

/** axlearn's `skip_and_clip_by_global_norm` with a number as `drop_norm`: a step is valid if its norm is below. */
export function axlearnSkips(gradients: readonly number[], dropNorm: number): boolean {
  return !(l2(gradients) < f(dropNorm));
}

function summed(examples: readonly (readonly number[])[]): number[] {
  const [first = []] = examples;
  return first.map((_, i) => examples.reduce((sum, g) => f(sum + (g[i] as number)), 0));
}

/** Caffe's `clip_gradients`: clip / norm where norm > clip; negative is off. */
export function caffe(gradients: readonly number[], clip: number): number[] {
  const norm = l2(gradients);
  return clip >= 0 && norm > f(clip) ? scaled(gradients, f(f(clip) / norm)) : gradients.map(f);
}

/** Megatron-LM with a norm on the host: multiplies where max_norm / (norm + 1e-6) < 1; its callers ask for a positive one. */
export function megatron(gradients: readonly number[], maxNorm: number): number[] {
  const coefficient = maxNorm / (l2(gradients) + 1e-6);
  return maxNorm > 0 && coefficient < 1 ? scaled(gradients, coefficient) : gradients.map(f);
}

/** DeepSpeed's `clip_tensors_by_global_norm`: as Megatron-LM, but -1 takes the place of a norm that is not finite. */
export function deepspeed(gradients: readonly number[], maxNorm: number): number[] {
  const found = l2(gradients);
  const norm = Number.isFinite(found) ? found : -1;
  const coefficient = f(f(maxNorm) / f(norm + f(1e-6)));
  return maxNorm > 0 && coefficient < 1 ? scaled(gradients, coefficient) : gradients.map(f);
}

/** AdaGC after its warm-up: g * min(1, 1.05 * average / norm). */
export function adaGC(gradients: readonly number[], average: number): number[] {
  return scaled(gradients, Math.min(1, f(f(f(1.05) * average) / l2(gradients))));
}

/** pytorch_optimizer's AdaGC in its warm-up: `get_global_gradient_norm` is the sum of squares, and 1e-8 is added. */
export function adaGCSquared(gradients: readonly number[], maxNorm: number): number[] {
  return scaled(gradients, Math.min(1, f(maxNorm / f(sumOfSquares(gradients) + f(1e-8)))));
}
