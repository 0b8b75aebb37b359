// The work on the CPU: the descents, and the surface if WebGPU does not draw it.

import { createClipper } from "gradclip";
import { descend, type MethodName } from "./descent.ts";
import { descendFromAll, type Ending } from "./field.ts";
import type { Path } from "./path.ts";
import { drawSurface, type Point } from "./surface.ts";

export interface DescentRequest {
  start: Point;
  rate: number;
  method: MethodName;
  bound: number;
  steps: number;
}

export type FieldRequest = Omit<DescentRequest, "start">;

export type Request =
  | { descents: DescentRequest }
  | { field: FieldRequest }
  | { surface: { width: number; height: number } };
export type Answer = { unclipped: Path; clipped: Path } | { field: Ending[] } | { image: ImageData };

const clipper = createClipper({ backend: "cpu" });
const send = (answer: Answer) => postMessage(answer);

addEventListener("message", async ({ data }: MessageEvent<Request>) => {
  if ("surface" in data) {
    const { width, height } = data.surface;
    // First a coarse image, then the full one.
    send({ image: drawSurface(Math.ceil(width / 6), Math.ceil(height / 6)) });
    send({ image: drawSurface(width, height) });
    return;
  }
  if ("field" in data) {
    const { rate, method, bound, steps } = data.field;
    send({ field: descendFromAll(await clipper, rate, method, bound, steps) });
    return;
  }
  const { start, rate, method, bound, steps } = data.descents;
  send({
    unclipped: descend(await clipper, start, rate, "none", bound, steps),
    clipped: descend(await clipper, start, rate, method, bound, steps),
  });
});
