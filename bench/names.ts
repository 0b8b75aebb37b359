/** The names of the contestants in results and comparisons. */

export const CLIP = "gradclip";
export const UNCLIPPED = "gradclip, under the bound";
export const RECORD = "gradclip, apply: record";
export const ALWAYS = "gradclip's kernels, always multiplying";
export const NORM_PASS = "gradclip's norm pass";
export const SCALE_PASS = "gradclip's scale pass";
export const READ = "read";
export const READ_AND_WRITE = "read and write";
export const COPY = "copyBufferToBuffer";
export const PER_TENSOR = "one reduction and one scale a tensor";
export const ATOMIC = "float atomic by compare and exchange";
export const READ_BACK = "read back, clip on the CPU, write back";
export const JAX = "jax-js, eager";
export const JAX_JIT = "jax-js, jit";
export const TFJS = "TensorFlow.js operations";
export const CPU_NORM = "gradclip, norm";
export const CPU_CLIP = "gradclip, clip";
export const NAIVE_NORM = "loop, norm";
export const NAIVE_CLIP = "loops, clip";
export const REDUCE_NORM = "Array reduce, norm";
export const SNRM2_NORM = "@stdlib/blas-base-snrm2, norm";
