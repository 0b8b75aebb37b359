/** The library on typed arrays. */
import type { Clip, ClipOptions, Clipper } from "../../src/index.ts";
import { fail } from "./expect.ts";
import { atPrepareAndStep, gradientsOver, initialImages } from "./memory.ts";
import type { Allocation, Harness, Outcome, Unit, UnitOptions } from "./types.ts";

export function createCpuHarness(clipper: Clipper): Harness {
  const clips: Clip[] = [];

  const allocate = (tensors: Unit["tensors"], named?: true): Allocation => {
    const before = initialImages(tensors);
    const arrays = new Map([...before].map(([name, words]) => [name, new Float32Array(words.slice().buffer)]));
    const gradients = gradientsOver({ tensors, named }, (memory) => {
      return arrays.get(memory) ?? fail(`no memory "${memory}"`);
    });
    const read = async () => {
      return new Map([...arrays].map(([name, values]) => [name, new Uint32Array(values.buffer.slice(0))]));
    };
    return { gradients, before, read };
  };

  const executeOne = async (unit: Unit): Promise<Outcome> => {
    const memory = allocate(unit.tensors, unit.named);
    const [atPrepare, atStep] = atPrepareAndStep(unit, memory.gradients);
    const clip = clipper.prepare(atPrepare, unit.rule.method, optionsWith(unit.options, heldOnlyOnGpu));
    try {
      clip.run(atStep);
      return { report: await clip.report(), before: memory.before, after: await memory.read() };
    } finally {
      clip.destroy();
    }
  };

  return {
    backend: "cpu",
    clipper,
    allocate,
    prepare(...values) {
      const clip = clipper.prepare(...values);
      clips.push(clip);
      return clip;
    },
    release() {
      for (const clip of clips.splice(0)) clip.destroy();
    },
    async execute(units) {
      const outcomes: Outcome[] = [];
      for (const unit of units) outcomes.push(await executeOne(unit));
      return outcomes;
    },
  };
}

function heldOnlyOnGpu(): never {
  fail("a scalar in a GPUBuffer needs a case with only: webgpu");
}

/** The library's options; `hold` puts a scalar into a GPUBuffer. */
export function optionsWith(
  options: UnitOptions = {},
  hold: (value: number, byteOffset: number) => GPUBuffer,
): ClipOptions {
  const { gradScale, totalNorm, ...rest } = options;
  const result: ClipOptions = { ...rest };
  if (typeof gradScale === "object") result.gradScale = hold(gradScale.held, 0);
  else if (gradScale !== undefined) result.gradScale = gradScale;
  if (typeof totalNorm === "object") {
    const byteOffset = totalNorm.byteOffset ?? 0;
    result.totalNorm = { buffer: hold(totalNorm.held, byteOffset), byteOffset };
  } else if (totalNorm !== undefined) result.totalNorm = totalNorm;
  return result;
}
