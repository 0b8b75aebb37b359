import type { Tensor, TensorInfo, Variable } from "@tensorflow/tfjs-core";
import { NonFiniteGradientError } from "../../errors.ts";
import type { ClipMethod } from "../../methods/method.ts";
import type { ClipOptions } from "../../options.ts";
import type { Grouping, GroupRun, NamedGroups } from "../../pieces.ts";
import { type ClipReport, countsOf, NONE } from "../../record.ts";
import type { Decider } from "../../rules/rule.ts";
import type { Units } from "../../units.ts";
import { type Declared, labelOf } from "../../view.ts";
import { type Clips, numbered, type ReportOptions } from "../clips.ts";
import { type Gradient, shapeOf, type TensorFlow } from "./gradients.ts";
import * as programs from "./webglPrograms.ts";
import { decisionIn, reportIn, type Texels } from "./webglRecord.ts";
import { clipUnits, type Packed, refuseManyUnits } from "./webglUnits.ts";

/** The members of tfjs-backend-webgl 4.22 that are used; the last two are private there. */
interface WebGLBackend {
  readonly texData: { get(dataId: object): { texture: unknown; isPacked: boolean } };
  write(values: Float32Array, shape: number[], dtype: "float32"): object;
  read(dataId: object): Promise<Float32Array>;
  runWebGLProgram(
    program: programs.Program,
    inputs: readonly TensorInfo[],
    dtype: string,
    uniforms: readonly (readonly number[])[] | undefined,
    staysPacked: true,
  ): TensorInfo;
  disposeIntermediateTensorInfo(info: TensorInfo): void;
  packTensor(info: TensorInfo): TensorInfo;
}

const MOST_LANES = 1024;
const NON_FINITE = ["zero", "keep", "propagate"];

/**
 * Whether gradients are clipped without a read: on WebGL 2 with float32 textures. On other WebGL they are clipped on the CPU.
 * @throws TypeError for what would have to be read there.
 */
export function clipsOnWebGL(tf: TensorFlow, method: ClipMethod, options: ClipOptions): boolean {
  if (tf.getBackend() !== "webgl" || tf.env().get("WEBGL_VERSION") !== 2) return false;
  if (!tf.env().getBool("WEBGL_RENDER_FLOAT32_ENABLED")) return false;
  const what = readingPart(method, options);
  if (!what) return true;
  throw new TypeError(
    `${what} would read every gradient back on TensorFlow.js's webgl backend; call await tf.setBackend("webgpu") or "wasm", or leave it out.`,
  );
}

/** What of a clip needs the gradients on the host. */
function readingPart(
  { name, grouping, rule }: ClipMethod,
  { skip, tensorNorms, history }: ClipOptions,
): string | undefined {
  if ("begin" in rule) return name;
  if (grouping.kind === "members") return `${name} with members`;
  if (tensorNorms) return "The option tensorNorms";
  if (history) return "The option history";
  if (!skip || (skip.name === "skipAbove" && grouping.kind === "all")) return undefined;
  return skip.name === "skipAbove" ? `skipAbove beside the norms of ${name}` : skip.name;
}

type UnitsGrouping = Extract<Grouping, { readonly kind: "units" }>;

/** The gradients that share a norm, and their numbers among the names. */
interface Group {
  readonly number: number;
  /** How its one gradient is divided. */
  readonly units?: Units;
  readonly members: { readonly at: number; readonly place: number; readonly shape: readonly number[] }[];
}

/** Clips on the webgl backend, whatever TensorFlow.js's backend is later, by small programs, in a fixed order, without a read. */
export class WebGLClip {
  readonly #tf: TensorFlow;
  readonly #clips: Clips;
  readonly #backend: WebGLBackend;
  /** Of each name. */
  readonly #places = new Map<string, number>();
  readonly #zeros = new Map<number, TensorInfo>();
  #record: TensorInfo | undefined;
  /** Of the last step, by the number of the group. */
  #decisions = new Map<number, TensorInfo>();
  #totals = countsOf(() => 0);
  lastReport: ClipReport | undefined;

  constructor(tf: TensorFlow, clips: Clips) {
    this.#tf = tf;
    this.#clips = clips;
    this.#backend = tf.backend() as unknown as WebGLBackend;
  }

  /**
   * Replaces the gradients in the list by new tensors.
   * @throws RangeError for axes that a gradient does not have and for more units than a texture has room for, before anything is clipped.
   */
  clip(gradients: Gradient[]): void {
    const groups = this.#groupsOf(gradients);
    const packed = gradients.map(({ tensor }) => (tensor?.size ? this.#packed(tensor) : undefined));
    const before = this.#decisions;
    this.#decisions = new Map();
    groups.forEach((group, i) => {
      const ends = [Number(i === 0), Number(i === groups.length - 1)] as const;
      const { units } = group;
      const decision = units ? undefined : this.#decide(group, packed, ends);
      for (const { at, place, shape } of group.members) {
        const { variable } = gradients[at] as Gradient;
        const one = packed[at] as Packed;
        const clipped = units
          ? this.#clipUnits(units, one, place, variable, ends)
          : this.#scaled(one, decision as TensorInfo);
        const tensor = this.#tf.engine().makeTensorFromTensorInfo({ ...clipped, shape: [...shape] });
        gradients[at] = { ...(gradients[at] as Gradient), tensor };
      }
    });
    for (const decision of before.values()) this.#free(decision);
    for (const one of packed) if (one?.isOwn) this.#free(one.info);
  }

  /** Whether the last step is skipped, as a scalar. */
  verdict(): Tensor {
    const flag = this.#run(programs.verdictProgram(), [this.#record as TensorInfo], undefined, "bool");
    return this.#tf.engine().makeTensorFromTensorInfo(flag);
  }

  async skippedSteps(): Promise<number> {
    return this.#record ? (await this.#texelsOf(this.#record))(4)[2] : 0;
  }

  async report({ throwIfNonFinite, signal }: NonNullable<ReportOptions> = {}): Promise<ClipReport> {
    signal?.throwIfAborted();
    const decisions = [...this.#decisions];
    const [record, ...each] = await Promise.all(
      [this.#record as TensorInfo, ...decisions.map(([, decision]) => decision)].map((one) => this.#texelsOf(one)),
    );
    signal?.throwIfAborted();
    const { method } = this.#clips;
    const found = new Map(
      decisions.map(([number], i) => [number, decisionIn(each[i] as Texels, method, this.#nonFinite())]),
    );
    const report = reportIn(record as Texels, found, method, this.#places, this.#totals);
    this.#totals = { ...report.totals };
    this.lastReport = report;
    if (throwIfNonFinite && !Number.isFinite(report.norm)) throw new NonFiniteGradientError(report);
    return report;
  }

  dispose(): void {
    for (const info of [...this.#zeros.values(), ...this.#decisions.values()]) this.#free(info);
  }

  #run(
    program: programs.Program,
    inputs: readonly TensorInfo[],
    uniforms?: readonly (readonly number[])[],
    dtype = "float32",
  ) {
    return this.#backend.runWebGLProgram(program, inputs, dtype, uniforms, true);
  }

  #free(info: TensorInfo): void {
    this.#backend.disposeIntermediateTensorInfo(info);
  }

  /** A group comes for each tensor, each name of a group, or all; without a gradient there is one that is empty. */
  #groupsOf(gradients: readonly Gradient[]): Group[] {
    const { grouping } = this.#clips.method;
    const groups = new Map<number, Group>();
    [...numbered(gradients)].forEach(([label, gradient], at) => {
      const place = this.#places.get(label) ?? this.#places.size;
      this.#places.set(label, place);
      if (!gradient.tensor?.size) return;
      const { groupOf } = grouping as Partial<NamedGroups>;
      const declared = { label, group: this.#clips.groupOf(gradient.name) } as unknown as Declared;
      const shape = shapeOf(gradient) as readonly number[];
      const units = grouping.kind === "units" ? this.#unitsOf(grouping, shape, labelOf(place, label)) : undefined;
      const number = groupOf?.(declared) ?? (grouping.kind === "tensor" || units ? place : 0);
      const group = groups.get(number) ?? { number, members: [], units };
      groups.set(number, group);
      group.members.push({ at, place, shape });
    });
    return groups.size > 0 ? [...groups.values()] : [{ number: NONE, members: [] }];
  }

  #unitsOf({ unitsOf }: UnitsGrouping, shape: readonly number[], label: string): Units {
    const units = unitsOf(shape, label);
    const most = this.#tf.env().getNumber("WEBGL_MAX_TEXTURE_SIZE");
    refuseManyUnits(units, this.#clips.method.parametersOf !== undefined, most, label);
    return units;
  }

  /** Leaves the record that goes on with this group. */
  #decide({ number, members }: Group, packed: readonly (Packed | undefined)[], ends: readonly number[]): TensorInfo {
    const { method, values } = this.#clips;
    const ofMembers = members.map(({ at, place }) => ({ ...(packed[at] as Packed), place }));
    const texels = ofMembers.reduce((sum, one) => sum + texelsIn(one), 0);
    const lanes = Math.min(MOST_LANES, 2 ** Math.round(Math.log2(Math.sqrt(Math.max(1, texels)))));
    const chain = (
      program: programs.Program,
      more: readonly TensorInfo[],
      uniforms: readonly (readonly number[])[] = [],
    ) =>
      ofMembers.reduce((state, one) => {
        const next = this.#run(
          program,
          [state, ...more, one.info],
          [one.dims, [texelsIn(one), one.place], ...uniforms],
        );
        if (state !== this.#zerosFor(lanes)) this.#free(state);
        return next;
      }, this.#zerosFor(lanes));
    let most = chain(programs.mostProgram(lanes), []);
    if (members.length > 1) {
      const folded = this.#run(programs.foldProgram(), [most]);
      this.#free(most);
      most = folded;
    }
    const sums = method.limits
      ? chain(programs.outsideProgram(lanes), [], [this.#limits()])
      : method.norm.name === "linf"
        ? this.#zerosFor(lanes)
        : chain(programs.sumProgram(lanes, method.norm), [most]);
    const count = members.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
    const weight =
      method.rule.weight?.({ group: number, count: 1, valuesPerGroup: count, absent: false } as GroupRun) ?? 0;
    const bound = (method.rule as Decider).boundFor({ norm: 0, maxNorm: values.maxNorm, weight, parameterNorm: 0 });
    const record = this.#run(
      programs.decisionProgram(method.norm),
      [most, sums, this.#latestRecord()],
      [[bound, method.eps ?? 0, values.gradScale, this.#threshold()], this.#kind(ends)],
    );
    for (const state of new Set([most, sums])) if (state !== this.#zerosFor(lanes)) this.#free(state);
    return this.#recorded(number, record);
  }

  #scaled({ info }: Packed, decision: TensorInfo): TensorInfo {
    if (this.#clips.method.limits) return this.#run(programs.clampProgram(info.shape), [info], [this.#limits()]);
    return this.#run(programs.scaleProgram(info.shape), [info, decision]);
  }

  /** Leaves the record that goes on with this gradient. */
  #clipUnits(
    units: Units,
    gradient: Packed,
    place: number,
    variable: Variable | undefined,
    ends: readonly number[],
  ): TensorInfo {
    const { method, values } = this.#clips;
    const own = method.parametersOf && this.#tf.reshape(variable as Variable, gradient.shape);
    const parameter = own ? this.#packed(own) : undefined;
    const least = method.rule.weight?.({ group: 0, count: 1, valuesPerGroup: 1, absent: false }) ?? 0;
    const { clipped, record } = clipUnits(
      {
        run: (...program) => this.#run(...program),
        free: (info) => this.#free(info),
        place,
        record: this.#latestRecord(),
        bounds: [values.maxNorm, least, values.gradScale, Infinity],
        kind: this.#kind(ends),
      },
      units,
      gradient,
      parameter,
    );
    if (parameter?.isOwn) this.#free(parameter.info);
    if (own) own.dispose();
    this.#recorded(place, record);
    return clipped;
  }

  /** What the groups of a step before this one have left. */
  #latestRecord(): TensorInfo {
    return this.#record ?? this.#zerosFor(programs.RECORD_TEXELS);
  }

  #recorded(number: number, record: TensorInfo): TensorInfo {
    this.#record = record;
    this.#decisions.set(number, record);
    return record;
  }

  /** As DECIDED takes it. */
  #kind(ends: readonly number[]): number[] {
    const { rule, limits } = this.#clips.method;
    // Where each value has its limits, nothing is decided on those that are not finite.
    const nonFinite = limits ? "keep" : this.#nonFinite();
    return [...ends, limits ? 2 : Number(rule.isScaled !== undefined), NON_FINITE.indexOf(nonFinite)];
  }

  #limits(): number[] {
    const { limits } = this.#clips.method;
    return [...(limits?.("f32") ?? []), this.#clips.values.gradScale, 0];
  }

  #nonFinite(): "zero" | "keep" | "propagate" {
    return this.#clips.options.nonFinite ?? "zero";
  }

  /** The norm of skipAbove is the first word of what it hands to the GPU. */
  #threshold(): number {
    const { skip } = this.#clips.options;
    return skip ? (new Float32Array(skip.begin(undefined).memory.toWords(0).buffer)[0] as number) : Infinity;
  }

  #zerosFor(lanes: number): TensorInfo {
    const shape: [number, number] = [2, 2 * lanes];
    const dataId = () => this.#backend.write(new Float32Array(4 * lanes), shape, "float32");
    const zeros = this.#zeros.get(lanes) ?? { dataId: dataId(), shape, dtype: "float32" };
    this.#zeros.set(lanes, zeros);
    return zeros;
  }

  /** As matrices of texels. TensorFlow.js packs the last two axes, and any others may be joined before them. */
  #packed({ dataId, shape, dtype }: Tensor): Packed {
    const [columns = 1, rows = 1, ...others] = [...shape].reverse();
    const matrices = others.reduce((product, size) => product * size, 1);
    const info: TensorInfo = { dataId, shape: [matrices, rows, columns], dtype };
    const dims = [Math.ceil(rows / 2), Math.ceil(columns / 2), rows, columns];
    const { texture, isPacked } = this.#backend.texData.get(dataId);
    const isOwn = Boolean(texture) && !isPacked;
    return { info: isOwn ? this.#backend.packTensor(info) : info, dims, shape, isOwn };
  }

  async #texelsOf({ dataId, shape: [, width = 0] }: TensorInfo): Promise<Texels> {
    const values = await this.#backend.read(dataId);
    return (texel) => [0, 1, width, width + 1].map((at) => values[2 * texel + at]) as [number, number, number, number];
  }
}

function texelsIn({ info, dims }: Packed): number {
  return (info.shape[0] as number) * (dims[0] as number) * (dims[1] as number);
}
