// What every entry exports beside its own createClipper.
export type { Clip } from "./clip.ts";
export type { Clipper } from "./clipper.ts";
export { DeviceLostError, NonFiniteGradientError, NoWebGPUError } from "./errors.ts";
export type { Gradients } from "./gradients.ts";
export { type AdaptiveGradClipOptions, adaptiveGradClip } from "./methods/adaptiveGradClip.ts";
export { autoClip } from "./methods/autoClip.ts";
export { clipByBlockRms } from "./methods/clipByBlockRms.ts";
export { clipByGlobalNorm } from "./methods/clipByGlobalNorm.ts";
export { clipByNorm } from "./methods/clipByNorm.ts";
export { clipByValue } from "./methods/clipByValue.ts";
export { clipPerExample } from "./methods/clipPerExample.ts";
export { measureNorm } from "./methods/measureNorm.ts";
export type { ClipMethod } from "./methods/method.ts";
export { zClip } from "./methods/zClip.ts";
export type { ClipOptions } from "./options.ts";
export type { ClipReport } from "./record.ts";
export type { Axes } from "./units.ts";
export type { Gradient, GradientView } from "./view.ts";
