import type { Gradients } from "../../src/index.ts";
import { of } from "./checks.ts";
import {
  adaptive,
  caffe,
  deepspeed,
  keras,
  l2,
  megatron,
  opacus,
  optax,
  optaxBlockRms,
  optaxPerExample,
  pytorch,
  pytorchValue,
  tfGlobalNorm,
  tfNorm,
  tfValue,
} from "./formulas.ts";
import { transposed } from "./tensorflow.ts";

/** For a row of the first table: gradients away from every edge, and what the other system makes of them or its norm. */
export interface Line {
  readonly gradients: () => Gradients;
  readonly theirs: number | readonly (readonly number[])[];
}

const global: (clip: (gradients: readonly number[], bound: number) => number[]) => Line = (clip) => ({
  gradients: of([3, -4], [12]),
  theirs: [clip([3, -4, 12], 1).slice(0, 2), clip([3, -4, 12], 1).slice(2)],
});
const ofOwnNorm: (clip: (gradients: readonly number[], bound: number, norm: number) => number[]) => Line = (clip) => ({
  gradients: of([3, -4]),
  theirs: [clip([3, -4], 1, 10)],
});
const measured: Line = { gradients: of([3, -4], [12]), theirs: l2([3, -4, 12]) };
const each: Line = { gradients: of([3, -4], [12], [0.5]), theirs: [[3, -4], [12], [0.5]].map((g) => tfNorm(g, 1)) };
const byValue: Line = { gradients: of([0.25, -4, 0.75]), theirs: [pytorchValue([0.25, -4, 0.75], 0.5)] };

/** Two examples of two values each; the sum goes where the first was. */
const perExample: (sum: (examples: readonly (readonly number[])[], bound: number) => number[]) => Line = (sum) => {
  const examples = [
    [3, -4],
    [0.25, 0.5],
  ];
  return { gradients: of(examples.flat()), theirs: [[...sum(examples, 1), 0.25, 0.5]] };
};

const matrix: Line["gradients"] = () => [
  { buffer: Float32Array.of(3, 2, -4, 1), shape: [2, 2], parameter: { buffer: Float32Array.of(1, 2, 3, 4) } },
];

export const lines: Record<string, Line> = {
  "PyTorch: `clip_grad_norm_(parameters, 1)`": global(pytorch),
  "PyTorch: `clip_grad_norm_(parameters, 1, norm_type=inf)`": {
    gradients: of([3, -4]),
    theirs: [pytorch([3, -4], 1, 4)],
  },
  "PyTorch: `clip_grad_value_(parameters, 0.5)`": byValue,
  "PyTorch: `get_total_norm(grads)`": measured,
  "PyTorch: `clip_grads_with_norm_(parameters, 1, norm)`": ofOwnNorm(pytorch),
  "TensorFlow: `tf.clip_by_global_norm(grads, 1)`": global(tfGlobalNorm),
  "TensorFlow: `tf.clip_by_global_norm(grads, 1, use_norm=norm)`": ofOwnNorm(tfGlobalNorm),
  "TensorFlow: `tf.clip_by_norm(grad, 1)`": each,
  "TensorFlow: `tf.clip_by_norm(grad, 1, axes=[0])`": {
    gradients: matrix,
    theirs: [transposed(tfNorm([3, -4], 1), tfNorm([2, 1], 1))],
  },
  "TensorFlow: `tf.clip_by_value(grad, -1, 2)`": { gradients: of([3, -4, 1]), theirs: [tfValue([3, -4, 1], -1, 2)] },
  "TensorFlow: `tf.linalg.global_norm(grads)`": measured,
  "Keras: `Adam(global_clipnorm=1)`": global((gradients, bound) => keras(tfGlobalNorm, gradients, bound)),
  "Keras: `Adam(clipnorm=1)`": each,
  "Keras: `Adam(clipvalue=0.5)`": byValue,
  "Optax: `clip_by_global_norm(1)`": global(optax),
  "Optax: `clip(0.5)`": byValue,
  "Optax: `clip_by_block_rms(1)`": {
    gradients: of([3, -4], [0.5]),
    theirs: [optaxBlockRms([3, -4], 1), optaxBlockRms([0.5], 1)],
  },
  "Optax: `adaptive_grad_clip(0.01)`": {
    gradients: matrix,
    theirs: [transposed(adaptive([3, -4], [1, 3], 0.01), adaptive([2, 1], [2, 4], 0.01))],
  },
  "Optax: `per_example_global_norm_clip(grads, 1)`": perExample(optaxPerExample),
  "Optax: `tree.norm(grads)`": measured,
  "Caffe: `clip_gradients: 1`": global(caffe),
  "timm: `dispatch_clip_grad(parameters, 0.01, mode='agc')`": {
    gradients: matrix,
    theirs: [[...adaptive([3, 2], [1, 2], 0.01), ...adaptive([-4, 1], [3, 4], 0.01)]],
  },
  "Opacus: `max_grad_norm=1`": perExample(opacus),
  "Apex: `clip_grad_norm_(parameters, 1)`": global(pytorch),
  "Megatron-LM: `--clip-grad 1`": global(megatron),
  'DeepSpeed: `"gradient_clipping": 1`': global(deepspeed),
  "AdaGC: `lambda_rel=1.05, beta=0.98, lambda_abs=1, warmup_steps=100`": global(tfGlobalNorm),
};
