/** Why a run ends early: its visitor's wish, or a lost device. The first reason stands. */
export class Stop {
  /** Rejects when the device is lost. A wish ends the run before its next turn: what is under way still uses its buffers. */
  readonly promise: Promise<never>;
  reason: string | undefined;
  isLost = false;
  readonly #device: GPUDevice | undefined;

  constructor(signal?: AbortSignal, device?: GPUDevice) {
    this.#device = device;
    this.promise = new Promise((_, reject) => {
      const cancel = () => {
        this.reason ??= "Cancelled.";
      };
      if (signal?.aborted) cancel();
      signal?.addEventListener("abort", cancel, { once: true });
      device?.lost.then(({ message }) => {
        this.isLost = this.reason === undefined;
        this.reason ??= `The GPU was lost: ${message || "the browser does not say why."}`;
        reject(new Error(this.reason));
      });
    });
    // Most runs end by themselves.
    this.promise.catch(() => {});
  }

  check(): void {
    if (this.reason) throw new Error(this.reason);
  }

  /** For an error of the run: a loss often shows first as an error of something else. Any other error is thrown again. */
  async reasonFor(error: unknown): Promise<string> {
    if (!this.reason && this.#device) await isLost(this.#device);
    if (!this.reason) throw error;
    return this.reason;
  }
}

/** Whether a device is lost, as far as can be known now. */
export function isLost(device: GPUDevice): Promise<boolean> {
  const lost = device.lost.then(() => true);
  const soon = new Promise<boolean>((resolve) => setTimeout(resolve, 50, false));
  return Promise.race([lost, soon]);
}
