import { readOptions, shown } from "../check.ts";
import type { Clip } from "../clip.ts";
import type { Clipper } from "../clipper.ts";
import { clipperOn } from "../createClipper.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipOptions } from "../options.ts";
import type { ClipReport } from "../record.ts";
import type { GradientView } from "../view.ts";

/** An adapter's options besides the method. An adapter always writes the gradients, immediately. */
export type AdapterOptions = Pick<ClipOptions, "nonFinite"> & { gradScale?: number };

export type ReportOptions = Parameters<Clip["report"]>[0];

/** A gradient as an adapter passes it. */
export type AdapterView = GradientView & { name: string; shape: readonly number[] };

interface Prepared {
  readonly clip: Clip;
  /** Without the buffers, which an engine may free. */
  readonly gradients: readonly ({ name: string; shape: readonly number[]; hasInto: boolean } | null)[];
}

interface Home {
  readonly clipper: Clipper;
  readonly prepared: Prepared[];
}

/**
 * The clips of one optimizer, one for each set of gradients. A network has several sets if parts of it are frozen or not reached
 * in some steps, or if the engine changes its backend.
 */
export class Clips {
  readonly #method: ClipMethod;
  readonly #options: AdapterOptions | undefined;
  readonly #homes = new Map<GPUDevice | undefined, Home>();
  #latest: Clip | undefined;

  /**
   * @param caller the adapter's function, for its messages.
   * @throws as `Clipper.prepare` does, for a wrong method or wrong options.
   */
  constructor(method: ClipMethod, options: AdapterOptions | undefined, caller: string) {
    const { gradScale } = readOptions(options, `${caller}'s options`, ["nonFinite", "gradScale"]);
    if (gradScale !== undefined && typeof gradScale !== "number") {
      throw new TypeError(`${caller}'s gradScale is ${shown(gradScale)}; pass a number.`);
    }
    this.#method = method;
    this.#options = options;
    // Wrong methods and options throw here, not in the first step.
    clipperOn(undefined).prepare([], method, options);
    if (method.name === "measureNorm") {
      throw new TypeError("measureNorm clips nothing; pass clipByGlobalNorm(Infinity), which measures in every step.");
    }
    if (method.grouping.kind === "groups") {
      throw new TypeError(
        `${method.name} needs the group of each gradient, which ${caller} does not know; clip them by clipper.prepare.`,
      );
    }
    if (method.examples) {
      throw new TypeError(
        `${method.name} gives a sum, which has another shape than the gradients; clip them by clipper.prepare and pass the sums on.`,
      );
    }
  }

  /** The clip of these gradients, on a device or on the CPU. */
  for(gradients: readonly (AdapterView | null)[], device?: GPUDevice): Clip {
    const { clipper, prepared } = this.#homeOn(device);
    let found = prepared.find((known) => areAlike(known.gradients, gradients));
    if (!found) {
      const clip = clipper.prepare(gradients, this.#method, this.#options);
      found = { clip, gradients: gradients.map((g) => g && { name: g.name, shape: g.shape, hasInto: !!g.into }) };
      prepared.push(found);
    }
    this.#latest = found.clip;
    return found.clip;
  }

  async report(options: ReportOptions): Promise<ClipReport> {
    if (!this.#latest) throw new Error("There is no report before the first step; take one first.");
    return this.#latest.report(options);
  }

  destroy(): void {
    for (const { clipper } of this.#homes.values()) clipper.destroy();
    this.#homes.clear();
    this.#latest = undefined;
  }

  #homeOn(device: GPUDevice | undefined): Home {
    const home = this.#homes.get(device) ?? { clipper: clipperOn(device), prepared: [] };
    this.#homes.set(device, home);
    return home;
  }
}

/** A buffer does not know the dtype of its content; the engine's tensor does. */
export function refuseOtherDtype(dtype: string, label: string): void {
  if (dtype !== "float32") throw new TypeError(`${label} is of ${dtype}; convert it to float32.`);
}

/** Runs in every step. Comparing takes a fraction of the time of making a key. */
function areAlike(known: Prepared["gradients"], gradients: readonly (AdapterView | null)[]): boolean {
  if (known.length !== gradients.length) return false;
  return known.every((kept, i) => {
    const gradient = gradients[i];
    if (!kept || !gradient) return !kept && !gradient;
    return kept.name === gradient.name && kept.hasInto === !!gradient.into && isSame(kept.shape, gradient.shape);
  });
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  let axis = 0;
  while (axis < a.length && a[axis] === b[axis]) axis += 1;
  return axis === a.length && axis === b.length;
}
