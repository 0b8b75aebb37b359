import type { ClipReport } from "./record.ts";

// Every entry imports this file as it is, so `instanceof` holds across entries.

/** There is no WebGPU, or none that may be used. `reason` says why, as `Clipper.fallbackReason` does. */
export class NoWebGPUError extends Error {
  override readonly name = "NoWebGPUError";
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The GPU device is gone, with its buffers. Prepare again on a new device. */
export class DeviceLostError extends Error {
  override readonly name = "DeviceLostError";
  /** `"destroyed"` (by the owner) or `"unknown"` (a crash, a reset, too little memory). */
  readonly reason: string;
  /** Whether a clip may have been under way: `"unchanged"` if nothing was submitted by this call. */
  readonly gradientsState: "unchanged" | "unknown";

  constructor(
    info: { readonly reason?: string; readonly message?: string },
    gradientsState: "unchanged" | "unknown",
    options?: ErrorOptions,
  ) {
    const detail = info.message ? `: ${info.message}` : "";
    super(
      `The GPU device was lost (${info.reason || "unknown"}${detail}); call createClipper on a new device.`,
      options,
    );
    this.reason = info.reason || "unknown";
    this.gradientsState = gradientsState;
  }
}

/** Thrown by `report({ throwIfNonFinite: true })` when the last step saw a NaN or an infinity. */
export class NonFiniteGradientError extends Error {
  override readonly name = "NonFiniteGradientError";
  readonly report: ClipReport;

  constructor(report: ClipReport) {
    super(report.nonFinite > 0 ? inGradients(report) : BESIDE_GRADIENTS);
    this.report = report;
  }
}

const BESIDE_GRADIENTS =
  "The gradients are finite, but gradScale, totalNorm or a parameter is not, or out of range; correct it.";

function inGradients({ nonFinite, firstNonFinite: first }: ClipReport): string {
  const name = first?.name === undefined ? "" : ` ${JSON.stringify(first.name)}`;
  const where = first ? `; the first is gradients[${first.index}]${name}, element ${first.element}` : "";
  return `The gradients hold ${nonFinite} NaN or infinite value${nonFinite === 1 ? "" : "s"}${where}; skip this step or lower the loss scale.`;
}
