import type { CheckedOptions } from "../options.ts";
import type { Tensor } from "../view.ts";
import type { DeviceContext } from "./device.ts";
import { layoutOf, READ } from "./layouts.ts";

/** What an error scope caught. */
export interface Caught {
  readonly error: GPUError;
  readonly outOfMemory: boolean;
}

/** Runs what makes objects or submits inside error scopes, which are closed before anything else can happen. */
export function watched<T>(device: GPUDevice, make: () => T): { made: T; fault: Promise<Caught | undefined> } {
  device.pushErrorScope("validation");
  device.pushErrorScope("out-of-memory");
  let fault: Promise<Caught | undefined> = Promise.resolve(undefined);
  let made: T;
  try {
    made = make();
  } finally {
    // A device that is lost may reject; then the loss is what counts.
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

/** As it is told to the caller: whose fault it is, as far as that is known, and the browser's own words. */
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

/** A buffer that a clip was given, and what messages call it. */
export interface Given {
  readonly buffer: GPUBuffer;
  readonly name: string;
  readonly isGradient: boolean;
}

export function givenBuffers(tensors: readonly Tensor[], { gradScale, totalNorm }: CheckedOptions): Given[] {
  const gradients = tensors.flatMap(({ label, source, into, parameter }) => [
    { buffer: source.buffer, name: label },
    { buffer: into?.buffer, name: `the into of ${label}` },
    { buffer: parameter?.source.buffer, name: `the parameter of ${label}` },
  ]);
  const others = Object.entries({ gradScale, totalNorm }).map(([name, source]) => ({
    buffer: typeof source === "object" ? source.buffer : undefined,
    name: `options.${name}`,
  }));
  return [
    ...gradients.map((given) => ({ ...given, isGradient: true })),
    ...others.map((given) => ({ ...given, isGradient: false })),
  ].filter((given): given is Given => given.buffer !== undefined);
}

/** The first that the device refuses: once something went wrong, each is bound alone in a pass that dispatches nothing. */
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
 * What went wrong in objects or submits of a clip. Only the GPU process sees that, so it becomes known after the call; what
 * came of the calls is worked off in their order.
 */
export class Faults {
  #current: Fault | undefined;
  #untold: Error | undefined;
  #worked = Promise.resolve();
  #waiting = 0;
  readonly #faulty = new WeakSet<object>();

  /** What came of a call; a run without a fault ends what was wrong before. */
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

  /** Gradients that were bound without a fault end what was wrong with others: their submit is the caller's. */
  encoded(prepared: object): void {
    if (!this.#current && this.#waiting === 0) return;
    this.#inOrder(async () => {
      const of = this.#current?.of;
      if (of && of !== prepared && !this.#faulty.has(prepared)) this.#current = undefined;
    });
  }

  /** Once for each, by the first call after it became known. */
  throwUntold(): void {
    const error = this.#untold;
    this.#untold = undefined;
    if (error) throw error;
  }

  /** What is wrong after all calls so far. */
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
