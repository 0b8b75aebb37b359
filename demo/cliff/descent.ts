import { type ClipMethod, type Clipper, clipByGlobalNorm, clipByValue, measureNorm } from "gradclip";
import { type Path, pathOf } from "./path.ts";
import { gradientAt, type Point } from "./surface.ts";

export type MethodName = "norm" | "value" | "none";

const methods: Record<MethodName, (bound: number) => ClipMethod> = {
  norm: (bound) => clipByGlobalNorm(bound),
  value: (bound) => clipByValue(bound),
  none: () => measureNorm(),
};

/** Gradient descent. Every gradient goes through gradclip. */
export function descend(
  clipper: Clipper,
  start: Point,
  rate: number,
  name: MethodName,
  bound: number,
  steps: number,
): Path {
  const gradient = new Float32Array(2);
  const clip = clipper.prepare([gradient], methods[name](bound));
  const path = pathOf(steps);
  let { w, b } = start;
  for (let step = 0; step <= steps; step++) {
    const { error, byW, byB } = gradientAt({ w, b });
    gradient.set([byW, byB]);
    path.before.set(gradient, 2 * step);
    clip.run();
    path.after.set(gradient, 2 * step);
    [path.w[step], path.b[step], path.error[step]] = [w, b, error];
    w -= rate * (gradient[0] as number);
    b -= rate * (gradient[1] as number);
  }
  clip.destroy();
  return path;
}
