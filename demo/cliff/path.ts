/** One entry for each step: the place before it, the error there, and the gradient before and after clipping (two values each). */
export interface Path {
  w: Float64Array;
  b: Float64Array;
  error: Float64Array;
  before: Float32Array;
  after: Float32Array;
}

export function pathOf(steps: number): Path {
  const [places, gradients] = [steps + 1, 2 * (steps + 1)];
  return {
    w: new Float64Array(places),
    b: new Float64Array(places),
    error: new Float64Array(places),
    before: new Float32Array(gradients),
    after: new Float32Array(gradients),
  };
}
