import * as tf from "@tensorflow/tfjs-core";
import type { TrainingRunner, trainStep } from "doppler-gpu/training";
import { clipByGlobalNorm } from "gradclip";
import { clippingBy, type DopplerMetrics } from "gradclip/doppler";
import { clipUpdates } from "gradclip/jax";
import { withClipping } from "gradclip/tfjs";

export const optimizer: tf.SGDOptimizer = withClipping(tf.train.sgd(0.1), clipByGlobalNorm(1), {
  nonFinite: undefined,
});
export const report = withClipping(tf.train.adam(1e-3)).clip.report({ signal: undefined });
export const updates = clipUpdates(clipByGlobalNorm(1), { gradScale: undefined });

type Options = NonNullable<ConstructorParameters<typeof TrainingRunner>[1]>;
export const clipGradients: NonNullable<Options["clipGradients"]> = clippingBy(undefined, { metrics: undefined });
export const ofStep: NonNullable<Parameters<typeof trainStep>[3]>["clipGradients"] = clippingBy(clipByGlobalNorm(1));
export type Metrics = DopplerMetrics<{ buffer: GPUBuffer; dtype: "f32"; shape: number[] }>;
