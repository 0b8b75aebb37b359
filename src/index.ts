/// <reference types="@webgpu/types" preserve="true" />
export type { Clip } from "./clip.ts";
export { type Clipper, type ClipperOptions, clipGradients, createClipper } from "./clipper.ts";
export { DeviceLostError, NonFiniteGradientError, NoWebGPUError } from "./errors.ts";
export type { Gradient, Gradients, GradientView } from "./gradients.ts";
export { clipByGlobalNorm } from "./methods/clipByGlobalNorm.ts";
export { clipByValue } from "./methods/clipByValue.ts";
export { measureNorm } from "./methods/measureNorm.ts";
export type { ClipMethod } from "./methods/method.ts";
export type { ClipOptions } from "./options.ts";
export type { ClipReport } from "./record.ts";
