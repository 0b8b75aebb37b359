import { type ClipMethod, type Clipper, clipByGlobalNorm, clipByValue, measureNorm } from "../../src/index.ts";
import { gradientAt, type Point } from "./surface.ts";

export type MethodName = "norm" | "value" | "none";

const methods: Record<MethodName, (bound: number) => ClipMethod> = {
  norm: (bound) => clipByGlobalNorm(bound),
  value: (bound) => clipByValue(bound),
  none: () => measureNorm(),
};

/** One entry a step: the place before it, the error there, the gradient before and after clipping. */
export interface Path {
  w: Float64Array;
  b: Float64Array;
  error: Float64Array;
  before: Float32Array;
  after: Float32Array;
}

/** Gradient descent, every gradient of it through gradclip. */
export function descend(clipper: Clipper, start: Point, rate: number, name: MethodName, bound: number, steps: number) {
  const gradient = new Float32Array(2);
  const clip = clipper.prepare([gradient], methods[name](bound));
  const path: Path = {
    w: new Float64Array(steps + 1),
    b: new Float64Array(steps + 1),
    error: new Float64Array(steps + 1),
    before: new Float32Array(2 * steps + 2),
    after: new Float32Array(2 * steps + 2),
  };
  let { w, b } = start;
  for (let step = 0; step <= steps; step++) {
    const { error, byW, byB } = gradientAt({ w, b });
    path.w[step] = w;
    path.b[step] = b;
    path.error[step] = error;
    gradient.set([byW, byB]);
    path.before.set(gradient, 2 * step);
    clip.run();
    path.after.set(gradient, 2 * step);
    w -= rate * (gradient[0] as number);
    b -= rate * (gradient[1] as number);
  }
  clip.destroy();
  return path;
}
