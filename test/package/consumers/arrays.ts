// Clips arrays: it needs no types of WebGPU.
import { clipByGlobalNorm, clipGradients, createClipper, type Gradient } from "gradclip/cpu";

const gradient = new Float32Array([3, 4]);
export const { norm } = await clipGradients([gradient], clipByGlobalNorm(1));

const clipper = await createClipper({ backend: undefined, label: undefined });
clipper.prepare({ kernel: gradient, bias: { length: 2, name: "bias" } }).run();

// @ts-expect-error: no gradient is a number.
export const number: Gradient = 3;
// @ts-expect-error: the function is no method; its result is one.
clipper.prepare([gradient], clipByGlobalNorm);
// @ts-expect-error: a method is made by a function.
clipper.prepare([gradient], { name: "clipByGlobalNorm", maxNorm: 1 });
