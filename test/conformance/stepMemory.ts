/** Gradients of one number each, for many steps. */
import type { GradientView } from "../../src/index.ts";
import { packed, range } from "./build.ts";
import { fail } from "./expect.ts";
import { COPY_DST, COPY_SRC, STORAGE } from "./harness-webgpu.ts";
import { initialImages } from "./memory.ts";
import { floatsOf } from "./numbers.ts";
import type { Harness, WebGpuHarness } from "./types.ts";

/** The bytes from one number to the next, and before the first. */
const APART = 256;

/**
 * All numbers in one memory. On the GPU those of a step are copied to one place before it, and back after it: gradients that lie
 * elsewhere in each step would be planned anew in each, which takes longer than the step.
 */
export class StepMemory {
  readonly #count: number;
  readonly #views: readonly GradientView[];
  readonly #read: () => Promise<Uint32Array>;
  readonly #onGpu?: { readonly all: GPUBuffer; readonly place: GPUBuffer };

  /** @param numbers by step; each step has as many. */
  constructor(harness: Harness, numbers: readonly (readonly number[])[]) {
    const count = numbers[0]?.length ?? 0;
    const tensors = packed(
      numbers.flat().map((number) => new Uint32Array(Float32Array.of(number).buffer)),
      APART,
      APART - 4,
    );
    this.#count = count;
    if (harness.backend === "cpu") {
      const memory = harness.allocate(tensors);
      this.#views = memory.gradients as unknown as GradientView[];
      this.#read = async () => (await memory.read()).get("arena") ?? fail("no arena");
      return;
    }
    const { bufferOf, readBuffers } = harness as WebGpuHarness;
    const words = initialImages(tensors).get("arena") ?? fail("no arena");
    const all = bufferOf(words, COPY_SRC | COPY_DST);
    const place = bufferOf(words.slice(0, (APART / 4) * (count + 1)), STORAGE | COPY_SRC | COPY_DST);
    this.#views = range(count, 1).map((k) => ({ buffer: place, byteOffset: APART * k, length: 1 }));
    this.#read = async () => (await readBuffers([all]))[0] ?? fail("no memory");
    this.#onGpu = { all, place };
  }

  gradientsOf(step: number): GradientView[] {
    const first = this.#onGpu ? 0 : this.#count * step;
    return this.#views.slice(first, first + this.#count);
  }

  /** Records a step between the copies of its gradients. */
  around(encoder: GPUCommandEncoder, step: number, record: () => void): void {
    const { all, place } = this.#onGpu ?? fail("the memory is not on the GPU");
    const size = APART * this.#count;
    encoder.copyBufferToBuffer(all, APART + size * step, place, APART, size);
    record();
    encoder.copyBufferToBuffer(place, APART, all, APART + size * step, size);
  }

  /** The numbers after all steps, one step after the other. */
  async read(): Promise<Float32Array> {
    return floatsOf(await this.#read())
      .filter((_, i) => i % (APART / 4) === 0)
      .slice(1);
  }
}
