import clipped from "../shaders/shared/clipped.wgsl?raw";
import gradient from "../shaders/shared/gradient.wgsl?raw";
import record from "../shaders/shared/record.wgsl?raw";
import { shaderNames } from "./shaderNames.ts";
import { withNames } from "./webgpu/realNames.ts";
import { resolved } from "./webgpu/template.ts";

/**
 * WGSL for an optimizer that takes the scale from `clip.record` (`apply: "record"`): `struct ClipRecord` and
 * `fn clipped_gradient(bits: u32, record: ClipRecord) -> f32`. Bind the gradients as `array<u32>`: NaN times 0 is NaN, so the
 * function has to look at the bits.
 */
export const clippedGradient: string = resolved(gradient, {
  texts: { "shared/record": record, "shared/clipped": clipped },
});

/**
 * The shaders ship with short names, and so the message of a kernel that did not compile quotes those. This gives the message
 * with the names of the repository, in its lines of source too.
 *
 * @example
 * ```ts
 * await clip.ready.catch((error) => console.error(withRealNames(error.message)));
 * ```
 */
export function withRealNames(message: string): string {
  return withNames(message, shaderNames);
}
