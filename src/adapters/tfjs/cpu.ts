import type { AdapterView, Clips } from "../clips.ts";
import { type Gradient, shapeOf, type TensorFlow } from "./gradients.ts";

/**
 * Reads the gradients, clips them on the CPU and replaces them in the list by new tensors. Returns the record's flags.
 */
export function clipOnCPU(tf: TensorFlow, gradients: Gradient[], clips: Clips): number {
  const views = gradients.map((gradient): AdapterView & { buffer?: Float32Array } => {
    const { name, tensor, variable } = gradient;
    const shape = shapeOf(gradient);
    if (!tensor?.size) return { name, shape };
    const parameter = clips.method.parametersOf && variable && { buffer: variable.dataSync<"float32">() };
    // The cpu backend returns the array that it computes with.
    return { name, shape, buffer: tensor.dataSync<"float32">().slice(), ...(parameter && { parameter }) };
  });
  const { clip, gradients: present } = clips.for(views);
  clip.run(present);
  views.forEach(({ name, shape, buffer }, i) => {
    if (buffer) gradients[i] = { ...gradients[i], name, tensor: tf.tensor(buffer, shape as number[]) };
  });
  return clip.flags as number;
}
