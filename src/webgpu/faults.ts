import type { CheckedOptions } from "../options.ts";
import type { Tensor } from "../view.ts";
import type { DeviceContext } from "./device.ts";
import { layoutOf, READ } from "./layouts.ts";

/** An error that an error scope caught. */
export interface Caught {
  readonly error: GPUError;
  readonly outOfMemory: boolean;
}

/** Runs work that makes objects or submits inside error scopes. The scopes close before any other code can run. */
export function watched<T>(device: GPUDevice, make: () => T): { made: T; fault: Promise<Caught | undefined> } {
  device.pushErrorScope("validation");
  device.pushErrorScope("out-of-memory");
  let fault: Promise<Caught | undefined> = Promise.resolve(undefined);
  let made: T;
  try {
    made = make();
  } finally {
    // A lost device may reject. The loss is reported elsewhere.
    const [outOfMemory, validation] = [device.popErrorScope(), device.popErrorScope()].map((scope) =>
      scope.catch(() => null),
    );
    fault = Promise.all([outOfMemory, validation]).then(([first, second]) => {
      const error = first ?? second;
      return error ? { error, outOfMemory: !!first } : undefined;
    });
  }
  return { made, fault };
}

/** The error for the caller. It names the faulty object, if it is known, and quotes the browser. */
export function faultError(label: string, { error, outOfMemory }: Caught, subject = "something that it uses"): Error {
  const text = (error.message.split("\n")[0] ?? "").replace(/\.$/, "").replaceAll("; ", ", ");
  return outOfMemory
    ? new RangeError(`${label}: the device is out of memory (${text}); free some, or pass fewer gradients.`, {
        cause: error,
      })
    : new TypeError(
        `${label}: the device refuses ${subject} (${text}); pass buffers of this device that still exist.`,
        { cause: error },
      );
}

/** A buffer of the caller, and its name in messages. */
export interface Given {
  readonly buffer: GPUBuffer;
  readonly name: string;
  readonly isGradient: boolean;
}

export function givenBuffers(tensors: readonly Tensor[], { gradScale, totalNorm, skip }: CheckedOptions): Given[] {
  const gradients = tensors.flatMap(({ label, source, into, parameter }) => [
    { buffer: source.buffer, name: label },
    { buffer: into?.buffer, name: `the into of ${label}` },
    { buffer: parameter?.source.buffer, name: `the parameter of ${label}` },
  ]);
  const others = Object.entries({ gradScale, totalNorm }).map(([name, source]) => ({
    buffer: typeof source === "object" ? source.buffer : undefined,
    name: `options.${name}`,
  }));
  others.push({ buffer: skip?.loss?.buffer, name: "the loss of options.skip" });
  return [
    ...gradients.map((given) => ({ ...given, isGradient: true })),
    ...others.map((given) => ({ ...given, isGradient: false })),
  ].filter((given): given is Given => given.buffer !== undefined);
}

/** Finds the first buffer that the device refuses, after an error: each is bound alone in a pass without dispatches. */
export async function refusedAmong(
  context: DeviceContext,
  given: readonly Given[],
): Promise<(Given & { caught: Caught }) | undefined> {
  const { device } = context;
  const tried = new Set<GPUBuffer>();
  const faults = given.map(({ buffer }) => {
    if (tried.has(buffer)) return undefined;
    tried.add(buffer);
    return watched(device, () => {
      const layout = layoutOf(context, [READ]);
      const size = Math.min(buffer.size - (buffer.size % 4), 256);
      const entries = [{ binding: 0, resource: { buffer, size } }];
      const encoder = device.createCommandEncoder({ label: `${context.label} search for a fault` });
      const pass = encoder.beginComputePass();
      pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
      pass.end();
      device.queue.submit([encoder.finish()]);
    }).fault;
  });
  const found = await Promise.all(faults);
  const first = found.findIndex((caught) => caught !== undefined);
  return first < 0 ? undefined : { ...(given[first] as Given), caught: found[first] as Caught };
}

/** The error for the caller, and the prepared gradients that it belongs to if it is theirs alone. */
export interface Fault {
  readonly error: Error;
  readonly of?: object;
}

/**
 * The faults of a clip's objects and submits. Only the GPU process sees them, so they become known after the call. The results of
 * calls are handled in the order of the calls.
 */
export class Faults {
  #current: Fault | undefined;
  #untold: Error | undefined;
  #worked = Promise.resolve();
  #waiting = 0;
  readonly #faulty = new WeakSet<object>();

  /** Takes the result of a call. A run without a fault clears the current fault. */
  note(outcome: Promise<Fault | undefined>, isRun = false): void {
    this.#inOrder(async () => {
      const fault = await outcome;
      if (fault) {
        this.#current = fault;
        this.#untold ??= fault.error;
        if (fault.of) this.#faulty.add(fault.of);
      } else if (isRun) this.#current = undefined;
    });
  }

  /** Gradients that were bound without a fault clear a fault of others. Their submit is the caller's. */
  encoded(prepared: object): void {
    if (!this.#current && this.#waiting === 0) return;
    this.#inOrder(async () => {
      const of = this.#current?.of;
      if (of && of !== prepared && !this.#faulty.has(prepared)) this.#current = undefined;
    });
  }

  /** Throws each fault once, in the first call after it became known. */
  throwUntold(): void {
    const error = this.#untold;
    this.#untold = undefined;
    if (error) throw error;
  }

  /** The fault after all calls so far. */
  async current(): Promise<Error | undefined> {
    await this.#worked;
    return this.#current?.error;
  }

  #inOrder(work: () => Promise<void>): void {
    this.#waiting += 1;
    this.#worked = this.#worked.then(work).then(() => {
      this.#waiting -= 1;
    });
  }
}
