import type { Clip } from "../clip.ts";
import { type Clipper, clipperOn } from "../clipper.ts";
import type { GradientView } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipOptions } from "../options.ts";
import type { ClipReport } from "../record.ts";

/** What an engine's optimizer can be told besides the method: the gradients are always written, at once. */
export type AdapterOptions = Pick<ClipOptions, "nonFinite"> & { gradScale?: number };

export type ReportOptions = Parameters<Clip["report"]>[0];

interface Home {
  readonly clipper: Clipper;
  readonly clips: Map<string, Clip>;
}

/**
 * The clips of one optimizer: one for each set of gradients that it is given. A network of which parts are frozen or not
 * reached in some steps has several, and an engine may change its backend.
 */
export class Clips {
  readonly #method: ClipMethod;
  readonly #options: AdapterOptions | undefined;
  readonly #homes = new Map<GPUDevice | undefined, Home>();
  #latest: Clip | undefined;

  /** @throws as `Clipper.prepare` does, for a method or options that are wrong. */
  constructor(method: ClipMethod, options: AdapterOptions | undefined) {
    this.#method = method;
    this.#options = options;
    // Whatever is wrong with these is to be told here, not in the first step.
    clipperOn(undefined).prepare([], method, options);
    if (method.name === "measureNorm") {
      throw new TypeError("measureNorm clips nothing; pass clipByGlobalNorm(Infinity), which measures in every step.");
    }
  }

  /** The clip of these gradients, on a device or on the CPU. */
  for(gradients: readonly (GradientView | null)[], device?: GPUDevice): Clip {
    const { clipper, clips } = this.#homeOn(device);
    const key = gradients.map((g) => (g ? `${g.name} ${g.length}${g.into ? " into" : ""}` : "none")).join();
    this.#latest = clips.get(key) ?? clipper.prepare(gradients, this.#method, this.#options);
    clips.set(key, this.#latest);
    return this.#latest;
  }

  async report(options: ReportOptions): Promise<ClipReport> {
    if (!this.#latest) throw new Error("There is no report before the first step; let the optimizer take one.");
    return this.#latest.report(options);
  }

  destroy(): void {
    for (const { clipper } of this.#homes.values()) clipper.destroy();
    this.#homes.clear();
    this.#latest = undefined;
  }

  #homeOn(device: GPUDevice | undefined): Home {
    const home = this.#homes.get(device) ?? { clipper: clipperOn(device), clips: new Map() };
    this.#homes.set(device, home);
    return home;
  }
}
