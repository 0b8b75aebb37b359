// The error surface of R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks" (2013),
// section 2.3: one hidden unit, x_t = w s(x_{t-1}) + b, x_0 = 0.5, E = (s(x_50) - 0.7)^2. Twin of surface.wgsl.

export const unrolled = 50;
const start = 0.5;
const target = 0.7;

/** The part that the map shows. */
export const view = { w: [3.9, 6.15], b: [-3.1, -1.6] } as const;

export interface Point {
  w: number;
  b: number;
}

/** An error below this counts as arrived. */
export const arrivedBelow = 0.01;

export function isInside({ w, b }: Point): boolean {
  return w >= view.w[0] && w <= view.w[1] && b >= view.b[0] && b <= view.b[1];
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

export function errorAt(w: number, b: number): number {
  let x = start;
  for (let t = 0; t < unrolled; t++) x = w * sigmoid(x) + b;
  return (sigmoid(x) - target) ** 2;
}

/** The error and its derivatives, carried forward through the 50 steps. */
export function gradientAt({ w, b }: Point): { error: number; byW: number; byB: number } {
  let [x, xByW, xByB] = [start, 0, 0];
  for (let t = 0; t < unrolled; t++) {
    const s = sigmoid(x);
    const slope = w * s * (1 - s);
    xByW = s + slope * xByW;
    xByB = 1 + slope * xByB;
    x = w * s + b;
  }
  const s = sigmoid(x);
  const outer = 2 * (s - target) * s * (1 - s);
  return { error: (s - target) ** 2, byW: outer * xByW, byB: outer * xByB };
}

/** From an error of 1e-4 or less to one of 1: red, green and blue, of 255. */
const palette = [
  [20, 44, 66],
  [52, 98, 122],
  [140, 164, 160],
  [222, 212, 188],
  [250, 246, 234],
] as const;

/** The surface as an image; row 0 is the largest b. */
export function drawSurface(width: number, height: number): ImageData {
  const image = new ImageData(width, height);
  const [left, right] = view.w;
  const [bottom, top] = view.b;
  for (let y = 0; y < height; y++) {
    const b = top + ((bottom - top) * (y + 0.5)) / height;
    for (let x = 0; x < width; x++) {
      const error = errorAt(left + ((right - left) * (x + 0.5)) / width, b);
      image.data.set(colorOf(error), 4 * (y * width + x));
    }
  }
  return image;
}

function colorOf(error: number): [number, number, number, number] {
  const height = Math.min(1, Math.max(0, 1 + Math.log10(Math.max(error, 1e-12)) / 4)) * (palette.length - 1);
  const index = Math.min(Math.floor(height), palette.length - 2);
  const [low, high] = [palette[index] ?? palette[0], palette[index + 1] ?? palette[0]];
  const mix = (channel: 0 | 1 | 2) => low[channel] + (high[channel] - low[channel]) * (height - index);
  return [mix(0), mix(1), mix(2), 255];
}

/** The palette as WGSL takes it. */
export const paletteInWgsl = palette
  .map((color) => `vec3f(${color.map((channel) => (channel / 255).toFixed(4)).join(", ")})`)
  .join(", ");
