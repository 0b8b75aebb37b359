import type { ClipBackend, Prepared, StepValues, StoredState } from "./backend.ts";
import {
  readBound as checkBound,
  kindOf,
  readBoolean,
  readNormalFloat,
  readOptions,
  refuseTypeGPU,
  wrongValue,
} from "./check.ts";
import type { Clip } from "./clip.ts";
import { NonFiniteGradientError } from "./errors.ts";
import {
  checkGradients,
  type GivenGradients,
  type Gradients,
  keyOf,
  readGivenGradients,
  type TensorList,
} from "./gradients.ts";
import { type ClipHistory, readHistory } from "./history.ts";
import type { ClipMethod } from "./methods/method.ts";
import type { CheckedOptions } from "./options.ts";
import { groupRunsOf, piecesOf } from "./pieces.ts";
import { Recent } from "./recent.ts";
import { type ClipReport, type Counters, countsOf, type Place, readEntries, readReport } from "./record.ts";
import { refuseOtherStructure, refuseUnsuited } from "./requirements.ts";
import type { Declared } from "./view.ts";

/** How far the steps have been read. A clip that goes on where another is shares it: reads may be under way. */
interface Progress {
  /** The totals of the last report. */
  totals: Counters;
  lastReport?: ClipReport;
  /** Settles when all earlier reports and histories have ended. */
  reads: Promise<void>;
  /** The number of the last step in a history. */
  lastStep: number;
}

/** The part of a clip that all backends share: checks, the values of the next step, and the report. */
export class GradientClip implements Clip {
  readonly method: ClipMethod;
  // An adapter's clip that goes on where this one is needs these too.
  readonly backend: ClipBackend;
  readonly list: TensorList;
  /** The method, with groups that only the gradients name. */
  readonly resolved: ClipMethod;
  readonly options: CheckedOptions;
  readonly #prepared: Prepared;
  /** The gradients given to prepare. */
  readonly #given: GivenGradients;
  /** The bind groups of the lists that were passed last, and thus their buffers. */
  readonly #recent = new Recent<Prepared>();
  #values: StepValues;
  #progress: Progress = { totals: countsOf(() => 0), reads: Promise.resolve(), lastStep: 0 };
  readonly #onDestroy: () => void;
  #destroyed = false;

  constructor(
    backend: ClipBackend,
    given: GivenGradients,
    list: TensorList,
    method: ClipMethod,
    resolved: ClipMethod,
    options: CheckedOptions,
    onDestroy: () => void,
  ) {
    this.method = method;
    this.resolved = resolved;
    this.options = options;
    this.#onDestroy = onDestroy;
    this.backend = backend;
    this.list = list;
    this.#prepared = backend.prepare(list);
    this.#given = given;
    this.#recent.get(keyOf(given), () => this.#prepared);
    this.#values = {
      // With a bound for each group there is no single one. Infinity would say that nothing is clipped.
      maxNorm: method.maxNorm ?? (resolved.grouping.kind === "groups" ? Number.NaN : Infinity),
      gradScale: typeof options.gradScale === "number" ? options.gradScale : 1,
    };
  }

  /** For adapters: this clip's steps follow those of an earlier one. */
  goOnFrom(earlier: GradientClip): void {
    this.#values = earlier.#values;
    this.#progress = earlier.#progress;
  }

  get ready(): Promise<void> {
    return this.backend.ready;
  }

  /** The flags of the last step, where they are known at once: on the CPU. */
  get flags(): number | undefined {
    return this.backend.flags?.();
  }

  get names(): readonly (string | undefined)[] {
    return this.list.names;
  }

  get scales(): GPUBuffer | undefined {
    return this.backend.scales;
  }

  get record(): GPUBuffer | undefined {
    return this.backend.record;
  }

  get lastReport(): ClipReport | undefined {
    return this.#progress.lastReport;
  }

  encode(target: GPUCommandEncoder | GPUComputePassEncoder, gradients?: Gradients): void {
    this.#refuseDestroyed();
    refuseTypeGPU(target, "encode's target");
    this.backend.encode(target, this.#preparedFor(gradients), this.#values);
  }

  run(gradients?: Gradients): void {
    this.#refuseDestroyed();
    this.backend.run(this.#preparedFor(gradients), this.#values);
  }

  set(values: { maxNorm?: number; gradScale?: number }): void {
    this.#refuseDestroyed();
    const { maxNorm, gradScale } = readOptions(values, "set's values", ["maxNorm", "gradScale"]);
    if (maxNorm !== undefined && this.method.maxNorm === undefined) {
      throw new TypeError(`${this.method.name} has no single maxNorm to set; prepare another.`);
    }
    if (gradScale !== undefined && typeof this.options.gradScale !== "number") {
      throw new TypeError("gradScale is read from the buffer in options.gradScale; write it there.");
    }
    const boundOf = (value: unknown) =>
      (this.method.rule.isScaled ? readNormalFloat : checkBound)(value, "set's maxNorm");
    this.#values = {
      maxNorm: maxNorm === undefined ? this.#values.maxNorm : boundOf(maxNorm),
      gradScale: gradScale === undefined ? this.#values.gradScale : readNormalFloat(gradScale, "set's gradScale"),
    };
  }

  async report(options?: { throwIfNonFinite?: boolean; signal?: AbortSignal }): Promise<ClipReport> {
    this.#refuseDestroyed();
    const known = ["throwIfNonFinite", "signal"] as const;
    const { throwIfNonFinite = false, signal } = readOptions(options, "report's options", known);
    if (signal !== undefined && !isSignal(signal)) {
      throw wrongValue(signal, "report's signal", "an AbortSignal");
    }
    readBoolean(throwIfNonFinite, "report's throwIfNonFinite");
    const report = await this.#inTurn(async (before) => {
      const read = async () => {
        const views = await this.backend.readRecord(signal);
        await before;
        return views;
      };
      return this.#reportIn(await unlessAborted(read, signal));
    });
    if (throwIfNonFinite && !Number.isFinite(report.norm)) throw new NonFiniteGradientError(report);
    return report;
  }

  /** Copies may arrive in any order, but each call has the steps since the one before it. */
  async #inTurn<T>(read: (before: Promise<void>) => Promise<T>): Promise<T> {
    const before = this.#progress.reads;
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    // An aborted or failed one may end before an earlier one.
    this.#progress.reads = before.then(() => ended);
    try {
      return await read(before);
    } finally {
      end();
    }
  }

  /** Each report counts the steps since the one before it. */
  #reportIn(views: readonly DataView[]): ClipReport {
    const [record, ...entries] = views as readonly [DataView, ...DataView[]];
    const report = readReport(record, this.#progress.totals, (piece, element) => this.locate(piece, element));
    // Of 32 bits, as the record has it: zeros after many steps are no record, but a copy that did not happen.
    if ((report.totals.steps | 0) === 0) {
      throw new TypeError("There is no report before the first step; call run, or submit what encode recorded.");
    }
    this.#progress.totals = { ...report.totals };
    const groups = this.resolved.grouping.kind === "all" ? undefined : entries.shift();
    const [norms] = entries;
    const whole = { ...report, ...(groups && this.#ofGroups(groups)), ...(norms && this.#ofTensors(norms)) };
    this.#progress.lastReport = whole;
    return whole;
  }

  async history(): Promise<ClipHistory> {
    this.#refuseDestroyed();
    if (this.options.history === undefined) {
      throw new TypeError("The clip keeps no history; prepare it with { history: 1000 }.");
    }
    return this.#inTurn(async (before) => {
      const rows = await this.backend.readHistory();
      await before;
      const history = readHistory(rows, this.#progress.lastStep);
      this.#progress.lastStep = history.steps.at(-1) ?? this.#progress.lastStep;
      return history;
    });
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
    this.backend.destroy();
    this.#onDestroy();
  }

  #stateFor(call: string): StoredState {
    this.#refuseDestroyed();
    const { state } = this.backend;
    if (state) return state;
    throw new TypeError(`${this.method.name} remembers nothing; ${call} is for methods such as autoClip.`);
  }

  #preparedFor(gradients: Gradients | undefined): Prepared {
    // Arrays are read again in every step: they may have been detached or resized.
    if (gradients === undefined && this.list.backend !== "cpu") return this.#prepared;
    const given = gradients === undefined ? this.#given : readGivenGradients(gradients, this.list);
    const prepare = () => {
      const list = checkGradients(given, this.method.examples, this.list);
      refuseUnsuited(list, this.resolved, this.options);
      const backend = this.record ? "webgpu" : "cpu";
      if (list.backend !== undefined && list.backend !== backend) {
        throw new TypeError(
          `The clip was prepared for gradients on ${backend}, and these are on ${list.backend}; prepare another.`,
        );
      }
      refuseOtherStructure(list, this.list, this.resolved.grouping.kind === "units");
      return gradients === undefined ? this.#prepared : this.backend.prepare(list);
    };
    return this.record ? this.#recent.get(keyOf(given), prepare) : prepare();
  }

  #ofGroups(entries: DataView): Partial<ClipReport> {
    const read = readEntries(entries);
    const { grouping } = this.resolved;
    if (grouping.kind === "members") {
      const { norms, scales, clipped } = read;
      return { memberNorms: norms, memberScales: scales, clippedMembers: clipped.filter(Boolean).length };
    }
    if (grouping.kind === "groups") return { groups: grouping.report(read) };
    return this.#ofTensors(entries);
  }

  #ofTensors(entries: DataView): Partial<ClipReport> {
    const { norms } = readEntries(entries);
    const { declared, places } = this.list;
    const { grouping: own } = this.resolved;
    const grouping = own.kind === "units" ? own : ({ kind: "tensor" } as const);
    const tensorNorms = new Float64Array(places.length).fill(Number.NaN);
    groupRunsOf(declared, grouping).forEach(({ group, count: units }, ordinal) => {
      const { index } = declared[ordinal] as Declared;
      tensorNorms[index] = units === 1 ? (norms[group] as number) : rootOfSquares(norms.subarray(group, group + units));
    });
    return { tensorNorms };
  }

  /** A segment may span several gradients that are neighbours in memory and in the list. */
  locate(number: number, elementOfSegment: number): Place {
    const { declared } = this.list;
    const piece = piecesOf(declared, this.resolved.grouping, this.backend.pieceElements)[number];
    let element = elementOfSegment + (piece?.first ?? 0);
    for (const tensor of piece ? declared.slice(declared.indexOf(piece.tensor)) : []) {
      if (element < tensor.length) return { index: tensor.index, name: tensor.name, element };
      element -= tensor.length;
    }
    throw new RangeError(
      `The record names piece ${number}, element ${elementOfSegment}, which no gradient has; pass the clip that wrote it.`,
    );
  }

  #refuseDestroyed(): void {
    if (this.#destroyed) throw new TypeError("The clip was destroyed; prepare a new one.");
  }
}

/** Copies the bytes: a view may begin at any offset. */
export function bytesOf(state: unknown): ArrayBuffer {
  if (ArrayBuffer.isView(state)) {
    return new Uint8Array(state.buffer, state.byteOffset, state.byteLength).slice().buffer;
  }
  if (kindOf(state) === "ArrayBuffer") return (state as ArrayBuffer).slice(0);
  throw wrongValue(state, "restore's state", "what state() gave");
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
