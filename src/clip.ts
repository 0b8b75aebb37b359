import type { ClipBackend, Prepared, StepValues, StoredState } from "./backend.ts";
import { readBound as checkBound, readBoolean, readNormalFloat, readOptions, refuseTypeGPU, shown } from "./check.ts";
import { NonFiniteGradientError } from "./errors.ts";
import { type GivenGradients, type Gradients, keyOf, readGivenGradients, type TensorList } from "./gradients.ts";
import type { ClipMethod } from "./methods/method.ts";
import type { CheckedOptions } from "./options.ts";
import { groupRunsOf, piecesOf } from "./pieces.ts";
import { Recent } from "./recent.ts";
import { type ClipReport, type Counters, countsOf, type Place, readEntries, readReport } from "./record.ts";
import { gradientsFor, refuseOtherStructure } from "./requirements.ts";
import type { Declared } from "./view.ts";

/** How many sets of buffers a clip keeps bind groups for, and so keeps alive: engines with pooled tensors come back to a few. */
const KEPT_SETS = 32;

/** A method made ready for the gradients of one model; kept and used every step. */
export interface Clip {
  readonly method: ClipMethod;
  /**
   * Resolves when the pipelines are compiled; `encode` before that compiles what is missing at once. Read it anew to ask again:
   * it rejects, as `report` and `state` do, with a fault that only the GPU process saw (a buffer that is destroyed or of another
   * device: TypeError; out of memory: RangeError), until a `run` succeeded or an `encode` bound other gradients without a fault.
   */
  readonly ready: Promise<void>;
  /** On the GPU: the record of 96 bytes (STORAGE, UNIFORM, COPY_SRC), for an optimizer kernel to bind. */
  readonly record?: GPUBuffer;
  /**
   * On the GPU, with a norm for each tensor, unit or member: 32 bytes each, laid out as the beginning of the record. As many
   * of them were clipped as have bit 1 set in the flags at byte 8.
   */
  readonly scales?: GPUBuffer;
  /**
   * What the gradients are called, by place in prepare's list: for `tensorNorms` and `scales`. A view's name, else the key in
   * an object or a Map, else the buffer's label: `["kernel", undefined]` for `[{ buffer, name: "kernel" }, other]`.
   */
  readonly names: readonly (string | undefined)[];
  /**
   * Records the clip into an encoder or an open compute pass; never submits. A pass is left with another pipeline and
   * bind groups 0 and 1 changed. Other gradients of the same structure (names or count, lengths, formats) may be passed: those
   * in an object or a Map are matched by key in any order, those in a list by place. Any may be absent (null, undefined, a key
   * that is missing): its `scales` entry then says scale 1 and norm NaN, and a step without any has norm 0, clips nothing and is counted, but
   * enters no memory. After `prepare({ kernel, bias })`, `encode(encoder, { bias })` clips `bias` alone.
   * @throws TypeError for arrays on the CPU, and for a list where the clip was prepared for names or the reverse; RangeError
   * for an unknown name, for a gradient that prepare's list had as null, and for another length or format;
   * DeviceLostError, and once, before it records, a fault of an earlier call that became known since: see `ready`.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, gradients?: Gradients): void;
  /**
   * Clips at once: on the GPU with an encoder and a submit of its own, on the CPU before it returns.
   * @throws as `encode` does.
   */
  run(gradients?: Gradients): void;
  /** Holds from the next `encode` or `run` on; what is already encoded keeps its values. */
  set(values: { maxNorm?: number; gradScale?: number }): void;
  /**
   * What the last submitted step found and did. Copies the record in a submit of its own; an abort frees what that took. What is
   * counted since the last report is counted in the order in which reports are asked for, whichever arrives first; one that is
   * aborted is left out.
   * @throws TypeError (as a rejection, as are the others) before the first step, NonFiniteGradientError if asked to,
   * DeviceLostError, the signal's reason, or a fault: see `ready`.
   */
  report(options?: { throwIfNonFinite?: boolean; signal?: AbortSignal }): Promise<ClipReport>;
  /**
   * The latest report that `report()` has brought, undefined before the first; never waits: `clip.lastReport?.norm` in a loop that
   * draws.
   */
  readonly lastReport?: ClipReport;
  /**
   * What an adaptive method remembers, to be kept with a checkpoint: as it is after all steps that were submitted so far.
   * Copied in a submit of its own. The GPU and the CPU take each other's.
   * @throws TypeError (as a rejection) for a method that remembers nothing, DeviceLostError.
   */
  state(): Promise<ArrayBuffer>;
  /**
   * Goes on from a state that `state()` gave, on this clip or another one of the same method: the steps that follow decide
   * as those that followed there, to the bit if it was on the same backend. On the GPU it is written through the queue: it holds for what is submitted
   * after this call, even if it was encoded before.
   * @param state the ArrayBuffer, or a view of its bytes (a Uint8Array, a Node Buffer): only those that the view spans count.
   * @throws TypeError for anything else and for a method that remembers nothing, RangeError for another state than
   * of such a method (autoClip: with the same `history`); then nothing changes.
   */
  restore(state: ArrayBuffer | ArrayBufferView): void;
  /**
   * Frees the clip's buffers; the gradients and their device are not touched. Submit first what holds the clip: an encoder that
   * is submitted after this fails as a whole, with everything else in it, and a submit cannot be observed.
   */
  destroy(): void;
}

/** What is the same on every backend: checks, the values of the next step, and the report. */
export class GradientClip implements Clip {
  readonly method: ClipMethod;
  readonly #backend: ClipBackend;
  readonly #list: TensorList;
  readonly #prepared: Prepared;
  /** As prepare was given them. */
  readonly #given: GivenGradients;
  readonly #recent = new Recent<Prepared>(KEPT_SETS);
  readonly #options: CheckedOptions;
  #values: StepValues;
  /** Of the last report. */
  #totals: Counters = countsOf(() => 0);
  #lastReport: ClipReport | undefined;
  /** Settles when the reports that were asked for so far have ended. */
  #reports = Promise.resolve();
  readonly #onDestroy: () => void;
  #destroyed = false;

  constructor(
    backend: ClipBackend,
    given: GivenGradients,
    list: TensorList,
    method: ClipMethod,
    options: CheckedOptions,
    onDestroy: () => void,
  ) {
    this.method = method;
    this.#onDestroy = onDestroy;
    this.#backend = backend;
    this.#list = list;
    this.#prepared = backend.prepare(list);
    this.#given = given;
    this.#recent.get(keyOf(given), () => this.#prepared);
    this.#options = options;
    this.#values = {
      maxNorm: method.maxNorm ?? Infinity,
      gradScale: typeof options.gradScale === "number" ? options.gradScale : 1,
    };
  }

  get ready(): Promise<void> {
    return this.#backend.ready;
  }

  get names(): readonly (string | undefined)[] {
    return this.#list.names;
  }

  get scales(): GPUBuffer | undefined {
    return this.#backend.scales;
  }

  get record(): GPUBuffer | undefined {
    return this.#backend.record;
  }

  get lastReport(): ClipReport | undefined {
    return this.#lastReport;
  }

  encode(target: GPUCommandEncoder | GPUComputePassEncoder, gradients?: Gradients): void {
    this.#refuseDestroyed();
    refuseTypeGPU(target, "encode's target");
    this.#backend.encode(target, this.#preparedFor(gradients), this.#values);
  }

  run(gradients?: Gradients): void {
    this.#refuseDestroyed();
    this.#backend.run(this.#preparedFor(gradients), this.#values);
  }

  set(values: { maxNorm?: number; gradScale?: number }): void {
    this.#refuseDestroyed();
    const { maxNorm, gradScale } = readOptions(values, "set's values", ["maxNorm", "gradScale"]);
    if (maxNorm !== undefined && this.method.maxNorm === undefined) {
      throw new TypeError(`${this.method.name} has no maxNorm to set; prepare a clip with a method that has a bound.`);
    }
    if (gradScale !== undefined && typeof this.#options.gradScale !== "number") {
      throw new TypeError(
        "gradScale is read from the buffer in options.gradScale; write the new value to that buffer.",
      );
    }
    this.#values = {
      maxNorm: maxNorm === undefined ? this.#values.maxNorm : checkBound(maxNorm, "set's maxNorm"),
      gradScale: gradScale === undefined ? this.#values.gradScale : readNormalFloat(gradScale, "set's gradScale"),
    };
  }

  async report(options?: { throwIfNonFinite?: boolean; signal?: AbortSignal }): Promise<ClipReport> {
    this.#refuseDestroyed();
    const { throwIfNonFinite, signal } = readOptions(options, "report's options", ["throwIfNonFinite", "signal"]);
    if (signal !== undefined && !isSignal(signal)) {
      throw new TypeError(`report's signal is ${shown(signal)}; pass an AbortSignal.`);
    }
    if (throwIfNonFinite !== undefined) readBoolean(throwIfNonFinite, "report's throwIfNonFinite");
    const report = await this.#inTurn((before) =>
      unlessAborted(async () => {
        const views = await this.#backend.readRecord(signal);
        await before;
        return views;
      }, signal),
    );
    if (throwIfNonFinite && !Number.isFinite(report.norm)) throw new NonFiniteGradientError(report);
    return report;
  }

  /** Copies may arrive in another order than they were asked for, but steps are counted from report to report. */
  async #inTurn(read: (before: Promise<void>) => Promise<readonly DataView[]>): Promise<ClipReport> {
    const before = this.#reports;
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    // One that is aborted or fails may end before those that were asked for earlier.
    this.#reports = before.then(() => ended);
    try {
      const [record, entries] = (await read(before)) as [DataView, DataView | undefined];
      const report = readReport(record, this.#totals, (piece, element) => this.locate(piece, element));
      if (report.totals.steps === 0) {
        throw new TypeError("There is no report before the first step; call run, or submit what encode recorded.");
      }
      this.#totals = { ...report.totals };
      this.#lastReport = entries ? { ...report, ...this.#ofGroups(entries) } : report;
      return this.#lastReport;
    } finally {
      end();
    }
  }

  async state(): Promise<ArrayBuffer> {
    return this.#stateFor("state").save();
  }

  restore(state: ArrayBuffer | ArrayBufferView): void {
    const stored = this.#stateFor("restore");
    stored.load(bytesOf(state));
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#backend.destroy();
    this.#onDestroy();
  }

  #stateFor(call: string): StoredState {
    this.#refuseDestroyed();
    const { state } = this.#backend;
    if (state) return state;
    throw new TypeError(
      `${this.method.name} remembers nothing, so there is no state; ${call} is for adaptive methods such as autoClip.`,
    );
  }

  #preparedFor(gradients: Gradients | undefined): Prepared {
    // Arrays are read anew in every step: they may have been detached or resized.
    if (gradients === undefined && this.#list.backend !== "cpu") return this.#prepared;
    const given = gradients === undefined ? this.#given : readGivenGradients(gradients, this.#list);
    return this.#recent.get(keyOf(given), () => {
      const list = gradientsFor(this.method, this.#options, given, this.#list);
      const backend = this.record ? "webgpu" : "cpu";
      if (list.backend !== undefined && list.backend !== backend) {
        throw new TypeError(
          `The clip was prepared for gradients on ${backend}, and these are on ${list.backend}; prepare another clip for them.`,
        );
      }
      refuseOtherStructure(list, this.#list, this.method.grouping.kind === "units");
      return gradients === undefined ? this.#prepared : this.#backend.prepare(list);
    });
  }

  #ofGroups(entries: DataView): Partial<ClipReport> {
    const { norms, scales, clipped } = readEntries(entries);
    if (this.method.grouping.kind === "members") {
      return { memberNorms: norms, memberScales: scales, clippedMembers: clipped };
    }
    const { declared, places } = this.#list;
    const tensorNorms = new Float64Array(places.length).fill(Number.NaN);
    groupRunsOf(declared, this.method.grouping).forEach(({ group, count: units }, ordinal) => {
      const { index } = declared[ordinal] as Declared;
      tensorNorms[index] = units === 1 ? (norms[group] as number) : rootOfSquares(norms.subarray(group, group + units));
    });
    return { tensorNorms };
  }

  /** A segment may run on through gradients that follow each other in memory and in the list. */
  locate(number: number, elementOfSegment: number): Place {
    const { declared } = this.#list;
    const piece = piecesOf(declared, this.method.grouping, this.#backend.pieceElements)[number];
    let element = elementOfSegment + (piece?.first ?? 0);
    for (const tensor of piece ? declared.slice(declared.indexOf(piece.tensor)) : []) {
      if (element < tensor.length) return { index: tensor.index, name: tensor.name, element };
      element -= tensor.length;
    }
    throw new RangeError(
      `The record names piece ${number}, element ${elementOfSegment}, which no gradient has; read it with the clip that wrote it.`,
    );
  }

  #refuseDestroyed(): void {
    if (this.#destroyed) throw new TypeError("The clip was destroyed; prepare a new one.");
  }
}

/** A copy: a view may begin anywhere. */
function bytesOf(state: unknown): ArrayBuffer {
  if (ArrayBuffer.isView(state)) {
    return new Uint8Array(state.buffer, state.byteOffset, state.byteLength).slice().buffer;
  }
  if (Object.prototype.toString.call(state) === "[object ArrayBuffer]") return (state as ArrayBuffer).slice(0);
  throw new TypeError(
    `restore's state is ${shown(state)}; pass the ArrayBuffer that state() gave, or a view of its bytes.`,
  );
}

function rootOfSquares(norms: Float64Array): number {
  return Math.sqrt(norms.reduce((sum, norm) => sum + norm * norm, 0));
}

async function unlessAborted<T>(start: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return start();
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    const result = await Promise.race([start(), aborted]);
    signal.throwIfAborted();
    return result;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function isSignal(value: unknown): value is AbortSignal {
  return typeof value === "object" && value !== null && typeof (value as AbortSignal).throwIfAborted === "function";
}
