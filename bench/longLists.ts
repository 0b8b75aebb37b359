import { checkGradients, keyOf, readGivenGradients } from "../src/gradients.ts";
import { clipByGlobalNorm } from "../src/index.ts";
import { checkOptions } from "../src/options.ts";
import { planOf } from "../src/webgpu/plan.ts";

const grid = { lanes: 64, minTiles: 4, normWorkgroups: 512, scaleWorkgroups: 1024, finishLanes: 256 };
const limits = { slots: 7, maxBinding: 2 ** 27, grid };
const method = clipByGlobalNorm(1);
const ELEMENTS = 5;

/** What so many views cost the host; `cost` is of some work. The buffer is none: the device's own work is left out. */
export function longList(count: number, cost: (work: () => void) => number): { prepare: number; again: number } {
  const stride = 8 * ELEMENTS;
  const buffer = { size: stride * count, usage: 0x80, mapState: "unmapped", mapAsync() {} } as unknown as GPUBuffer;
  const views = Array.from({ length: count }, (_, i) => ({ buffer, byteOffset: stride * i, length: ELEMENTS }));
  const prepare = cost(() => {
    planOf(method, checkOptions(undefined, method), checkGradients(readGivenGradients(views)), limits);
  });
  return { prepare, again: cost(() => keyOf(readGivenGradients(views))) };
}
