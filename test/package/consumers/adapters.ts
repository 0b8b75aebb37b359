import * as tf from "@tensorflow/tfjs-core";
import { clipByGlobalNorm } from "gradclip";
import { clipUpdates } from "gradclip/jax";
import { withClipping } from "gradclip/tfjs";

export const optimizer: tf.SGDOptimizer = withClipping(tf.train.sgd(0.1), clipByGlobalNorm(1), {
  nonFinite: undefined,
});
export const report = withClipping(tf.train.adam(1e-3)).clip.report({ signal: undefined });
export const updates = clipUpdates(clipByGlobalNorm(1), { gradScale: undefined });
