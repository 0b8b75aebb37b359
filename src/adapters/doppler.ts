import { getDevice } from "doppler-gpu/tooling/device";
import { readBoolean } from "../check.ts";
import type { GradientClip } from "../gradientClip.ts";
import { clipByGlobalNorm } from "../methods/clipByGlobalNorm.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipReport } from "../record.ts";
import { type AdapterOptions, type ClipHandle, Clips } from "./clips.ts";

/** A tensor of doppler-gpu. Its buffer comes from a pool and may be longer. */
export interface DopplerTensor {
  readonly buffer: GPUBuffer;
  readonly dtype: "f16" | "f32";
  readonly shape: readonly number[];
  readonly label?: string;
}

/**
 * What doppler-gpu records of a step. `clippedGrads` is what was passed; after a skip it has the same gradients under no parameter, so that
 * doppler-gpu's optimizer leaves every parameter and its moments as they are. `gradient_norm_clipped` is the norm of what is applied: 0 after a skip. A norm that is not
 * finite, or that was not read, is null, and so is that of gradients that more than one factor has clipped.
 */
export interface DopplerMetrics<T extends DopplerTensor> {
  clippedGrads: Map<T, T>;
  gradient_norm_unclipped: number;
  gradient_norm_clipped: number;
  clipped_event_count: number;
  total_param_count: number;
}

export interface DopplerOptions extends AdapterOptions {
  /**
   * Default true: each step takes a report, 96 bytes; your own then counts the steps since that one, and all steps in `totals`. With
   * false it reads nothing: its norms are null, its count of clips is 0, and a skipped step applies gradients of zero.
   */
  metrics?: boolean;
}

/** The function for doppler-gpu's `clipGradients`, with what it reports. */
export interface DopplerClipping {
  <T extends DopplerTensor>(gradients: Map<T, T>, config?: DopplerConfig): Promise<DopplerMetrics<T>>;
  /** Names in reports, `only` and `groupOf` are the labels of the parameters; a label that comes again has a number behind it. */
  readonly clip: ClipHandle & {
    /** Frees gradclip's buffers on the GPU; does not touch gradients. */
    destroy(): void;
  };
}

/** The part of doppler-gpu's configuration that has a bound. */
interface DopplerConfig {
  readonly training?: {
    readonly gradientClipping?: { readonly maxNorm?: number };
    readonly gradient?: { readonly maxNorm?: number };
  };
}

/**
 * Clips in doppler-gpu's `trainStep` and `TrainingRunner`: `new TrainingRunner(config, { clipGradients: clippingBy() })`. Without
 * a method it clips by the global norm, to the bound in doppler-gpu's configuration; without a bound there it only measures. A
 * bound that `clip.set` gave holds instead, from the next step on.
 *
 * Gradients are clipped in place on doppler-gpu's device, float16 ones too, with one submit. A NaN makes them zero: see
 * `nonFinite`. A skipped step changes no parameter and no moment, to the bit. The buffers stay those of doppler-gpu.
 *
 * @throws TypeError for `measureNorm` and `clipPerExample`, and as `Clipper.prepare` does for the method and
 * options. A step rejects with an Error before doppler-gpu has a device.
 */
export function clippingBy(method?: ClipMethod, options?: DopplerOptions): DopplerClipping {
  const clips = new Clips(method ?? clipByGlobalNorm(Infinity), options, "clippingBy", ["metrics"]);
  const { metrics = true } = options ?? {};
  readBoolean(metrics, "clippingBy's metrics");
  /** By the record: a clip that goes on for other gradients keeps it, with its counters. */
  const skippedBefore = new WeakMap<GPUBuffer, number>();
  /** Whether the last step was. A report of the user's own may have come in between. */
  const isSkipped = ({ record }: GradientClip, { totals }: ClipReport) => {
    const before = skippedBefore.get(record as GPUBuffer) ?? 0;
    skippedBefore.set(record as GPUBuffer, totals.skippedSteps);
    return totals.skippedSteps > before;
  };
  const clipGradients = async <T extends DopplerTensor>(gradients: Map<T, T>, config?: DopplerConfig) => {
    const device = getDevice();
    if (!device) throw new Error("doppler-gpu has no device yet; call its initDevice first.");
    const all = Array.from(gradients, ([parameter, gradient], i) => viewOf(gradient, parameter.label ?? String(i)));
    const { clip, gradients: named } = clips.for(
      all.filter(({ name }) => clips.takes(name)),
      device,
    );
    if (!method) clip.set({ maxNorm: boundOf(config), ...clips.given });
    const { gradScale } = clips.values;
    clip.run(named);
    const report = metrics ? await clip.report() : undefined;
    return {
      clippedGrads: report && isSkipped(clip, report) ? withoutParameters(gradients) : gradients,
      gradient_norm_unclipped: finite(report?.norm),
      gradient_norm_clipped: finite(report && appliedNorm(report, gradScale)),
      clipped_event_count: report?.clipped ? 1 : 0,
      total_param_count: all.reduce((sum, { length }) => sum + length, 0),
    };
  };
  return Object.assign(clipGradients, { clip: clips });
}

/** doppler-gpu's optimizer asks by parameter and leaves those that have none; its callers free all that the Map has. */
function withoutParameters<T extends DopplerTensor>(gradients: Map<T, T>): Map<T, T> {
  return new Map(Array.from(gradients.values(), (gradient) => [gradient, gradient]));
}

function viewOf({ buffer, dtype, shape }: DopplerTensor, name: string) {
  return { name, buffer, dtype, shape, length: shape.reduce((product, size) => product * size, 1) };
}

/** As doppler-gpu reads it: without a positive bound nothing is clipped. */
function boundOf(config: DopplerConfig | undefined): number {
  const bound = config?.training?.gradientClipping?.maxNorm ?? config?.training?.gradient?.maxNorm ?? 0;
  return bound > 0 ? bound : Infinity;
}

/** The report's norm comes after gradScale, and its scale contains it. Where there are several scales, it has none. */
function appliedNorm({ norm, scale, clipped }: ClipReport, gradScale: number): number {
  return Number.isNaN(scale) && !clipped ? norm : (norm * scale) / gradScale;
}

/** doppler-gpu declares numbers, but its runner takes null and ends at a NaN. */
function finite(value: number | undefined): number {
  return Number.isFinite(value) ? (value as number) : (null as unknown as number);
}
