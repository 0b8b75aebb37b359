import { readOptions, wrongValue } from "../check.ts";
import type { Clip } from "../clip.ts";
import type { GradientClipper } from "../clipper.ts";
import { clipperOn } from "../createClipper.ts";
import { bytesOf, type GradientClip } from "../gradientClip.ts";
import type { ClipHistory } from "../history.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipOptions } from "../options.ts";
import type { ClipReport } from "../record.ts";
import { remembersEach } from "../rules/rule.ts";
import type { GradientView } from "../view.ts";
import { goOn } from "./goesOn.ts";

/** An adapter's options besides the method. An adapter always writes the gradients, immediately. */
export interface AdapterOptions<Variable = never>
  extends Pick<ClipOptions, "nonFinite" | "skip" | "tensorNorms" | "history"> {
  gradScale?: number;
  /**
   * Whether a gradient is clipped, asked once for each name; default: all are. The others stay as they are and count in no norm:
   * `{ only: (name) => !name.startsWith("head/") }`.
   */
  only?: (name: string, variable?: Variable) => boolean;
  /** The group of a gradient, for `clipByGroupNorm`, asked once for each name; undefined for one that is of the `others`. */
  groupOf?: (name: string, variable?: Variable) => string | undefined;
}

export type ReportOptions = Parameters<Clip["report"]>[0];

/** What is told about the clipping of an optimizer, and what of it can be changed. Names are the adapter's. */
export interface ClipHandle {
  /**
   * Reports on the last step.
   * @throws (as a rejection) Error before the first step, and as `Clip.report` does.
   */
  report(options?: ReportOptions): Promise<ClipReport>;
  /** The latest report that `report()` gave; undefined before the first. It never waits. */
  readonly lastReport?: ClipReport;
  /**
   * The steps since the last call, with the option `history`: before the first step empty arrays.
   * @throws (as a rejection) as `Clip.history` does.
   */
  history(): Promise<ClipHistory>;
  /**
   * A new bound or factor from the next step on: `set({ maxNorm: 0.5 })`. It may come before the first step. What is undefined
   * stays as it is.
   * @throws as `Clip.set` does.
   */
  set(values: { maxNorm?: number; gradScale?: number }): void;
  /**
   * The memory of an adaptive method and of a skip rule, to be saved beside the model.
   * @throws (as a rejection) as `Clip.state` does.
   */
  state(): Promise<ArrayBuffer>;
  /**
   * Continues from what `state()` gave, here or on another backend: it holds from the next step on, wherever that runs.
   * @throws as `Clip.restore` does. A memory of each norm that comes before the first step is checked in that step, which shows how
   * many norms there are.
   */
  restore(state: ArrayBuffer | ArrayBufferView): void;
}

/** A gradient as an adapter passes it. Without a buffer it is absent; without a shape too it is not even declared. */
export type AdapterView = GradientView & { name: string };

/** What prepare is told of a gradient; undefined for one of which nothing is known but its name. */
type Form = (Pick<GradientView, "dtype" | "group"> & { readonly shape: readonly number[] }) | undefined;

/** What the caller's functions say of a name. */
interface Known {
  readonly isTaken: boolean;
  readonly group: unknown;
}

/** The clip of one device, and the forms of all gradients that it has met. */
interface Home {
  readonly clipper: GradientClipper;
  readonly forms: Map<string, Form>;
  clip?: GradientClip;
}

/**
 * The clip of one optimizer, one for each device. It is prepared for all gradients that the steps have brought so far: a gradient
 * that a step does not reach is absent, and a new one makes a clip that goes on where the one before is.
 */
export class Clips implements ClipHandle {
  readonly #method: ClipMethod;
  readonly #options: ClipOptions;
  readonly #ask: (name: string, variable: unknown) => Known;
  readonly #known = new Map<string, Known>();
  readonly #homes = new Map<GPUDevice | undefined, Home>();
  /** Without gradients. It checks what comes before the first step, and keeps it. */
  readonly #first: GradientClip;
  #values: Parameters<Clip["set"]>[0] = {};
  /** What came since the last step: the next one may be on another device. */
  #restored: ArrayBuffer | undefined;
  #latest: GradientClip | undefined;

  /**
   * @param caller the adapter's function, for its messages.
   * @throws as `Clipper.prepare` does, for a wrong method or wrong options.
   */
  constructor(method: ClipMethod, options: object | undefined, caller: string, more: readonly string[] = []) {
    const subject = `${caller}'s options`;
    const known = ["nonFinite", "gradScale", "skip", "tensorNorms", "history", "only", "groupOf", ...more] as const;
    const { nonFinite, gradScale, skip, tensorNorms, history, only, groupOf } = readOptions(options, subject, known);
    if (gradScale !== undefined && typeof gradScale !== "number") {
      throw wrongValue(gradScale, `${caller}'s gradScale`, "a number");
    }
    for (const [key, value] of Object.entries({ only, groupOf })) {
      if (value === undefined || typeof value === "function") continue;
      throw wrongValue(value, `${caller}'s ${key}`, "a function of a name");
    }
    this.#method = method;
    this.#options = { nonFinite, gradScale, skip, tensorNorms, history } as ClipOptions;
    const isTaken = (only ?? (() => true)) as (name: string, variable: unknown) => unknown;
    const group = groupOf as ((name: string, variable: unknown) => unknown) | undefined;
    this.#ask = (name, variable) => ({ isTaken: Boolean(isTaken(name, variable)), group: group?.(name, variable) });
    // Wrong methods and options throw here, not in the first step.
    this.#first = clipperOn(undefined).prepare([], method, this.#options);
    if (method.name === "measureNorm") {
      throw new TypeError("measureNorm clips nothing; pass clipByGlobalNorm(Infinity), which measures in every step.");
    }
    if (method.grouping.kind === "groups" && !groupOf) {
      throw new TypeError(
        `${method.name} needs the group of each gradient; pass ${caller} a groupOf, such as { groupOf: (name) => name.split("/")[0] }.`,
      );
    }
    if (method.examples) {
      throw new TypeError(
        `${method.name} gives a sum, which has another shape than the gradients; clip them by clipper.prepare and pass the sums on.`,
      );
    }
  }

  get method(): ClipMethod {
    return this.#method;
  }

  get options(): ClipOptions {
    return this.#options;
  }

  /** One of each device. */
  get all(): GradientClip[] {
    return [...this.#homes.values()].flatMap(({ clip }) => clip ?? []);
  }

  /** The values that were set, and no others. */
  get given(): Parameters<Clip["set"]>[0] {
    return this.#values;
  }

  /** The values of the next step. */
  get values(): { maxNorm: number; gradScale: number } {
    const { maxNorm = Infinity } = this.#method;
    return { maxNorm, gradScale: (this.#options.gradScale ?? 1) as number, ...this.#values };
  }

  groupOf(name: string): string | undefined {
    return this.#known.get(name)?.group as string | undefined;
  }

  /** Whether the gradient of this name is clipped. Ask for each, before `for`. */
  takes(name: string, variable?: unknown): boolean {
    const known = this.#known.get(name) ?? this.#ask(name, variable);
    this.#known.set(name, known);
    return known.isTaken;
  }

  /**
   * The clip for these gradients, on a device or on the CPU, and the gradients as it takes them.
   * @param submit is called before a clip takes the place of another, which the engine's commands may still hold.
   */
  for(
    views: readonly AdapterView[],
    device?: GPUDevice,
    submit?: () => void,
  ): { clip: GradientClip; gradients: Map<string, AdapterView> } {
    const home: Home = this.#homes.get(device) ?? { clipper: clipperOn(device), forms: new Map() };
    this.#homes.set(device, home);
    const all = [...numbered(views)];
    const news = all.filter(([name, view]) => !isKnown(home.forms, name, view));
    if (home.clip && news.length > 0) submit?.();
    const goesOn = home.clip !== undefined && home.clip === this.#latest;
    const clip = home.clip && news.length === 0 ? home.clip : this.#prepare(home, news);
    if (this.#restored && !goesOn) clip.restore(this.#restored);
    this.#restored = undefined;
    this.#latest = clip;
    return { clip, gradients: new Map(all.filter(([, { buffer }]) => buffer)) };
  }

  report(options: ReportOptions): Promise<ClipReport> {
    if (this.#latest) return this.#latest.report(options);
    return Promise.reject(new Error("There is no report before the first step; take one first."));
  }

  get lastReport(): ClipReport | undefined {
    return this.#latest?.lastReport;
  }

  history(): Promise<ClipHistory> {
    return (this.#latest ?? this.#first).history();
  }

  set(values: Parameters<Clip["set"]>[0]): void {
    this.#first.set(values);
    const defined = Object.entries(values).filter(([, value]) => value !== undefined);
    this.#values = { ...this.#values, ...Object.fromEntries(defined) };
    for (const clip of this.all) clip.set(values);
  }

  async state(): Promise<ArrayBuffer> {
    return this.#restored?.slice(0) ?? (this.#latest ?? this.#first).state();
  }

  restore(state: ArrayBuffer | ArrayBufferView): void {
    try {
      (this.#latest ?? this.#first).restore(state);
    } catch (error) {
      // How many norms are remembered shows in the first step; it checks again.
      if (this.#latest || !(error instanceof RangeError && remembersEach(this.#method.rule))) throw error;
    }
    this.#restored = bytesOf(state);
  }

  destroy(): void {
    for (const { clipper } of this.#homes.values()) clipper.destroy();
    this.#homes.clear();
    this.#latest = undefined;
    this.#restored = undefined;
  }

  #prepare(home: Home, news: readonly [string, AdapterView][]): GradientClip {
    const forms = new Map(home.forms);
    for (const [name, { name: asked, shape, dtype }] of news) {
      forms.set(name, shape && { shape, dtype, group: this.groupOf(asked) });
    }
    const declared = new Map([...forms].map(([name, form]) => [name, form && declarationOf(form)]));
    const clip = home.clip
      ? goOn(home.clipper, home.clip, declared, this.#method, this.#options)
      : home.clipper.prepare(declared, this.#method, this.#options);
    if (!home.clip) clip.set(this.#values);
    home.clip = clip;
    for (const [name, form] of forms) home.forms.set(name, form);
    return clip;
  }
}

/** By name. One that comes again gets a number: "w", "w (2)". */
export function numbered<T extends { readonly name: string }>(list: readonly T[]): Map<string, T> {
  const named = new Map<string, T>();
  for (const one of list) {
    let { name } = one;
    for (let time = 2; named.has(name); time++) name = `${one.name} (${time})`;
    named.set(name, one);
  }
  return named;
}

function declarationOf({ shape, ...rest }: NonNullable<Form>): GradientView {
  return { ...rest, shape, length: shape.reduce((product, size) => product * size, 1) };
}

/** Runs in every step. */
function isKnown(forms: ReadonlyMap<string, Form>, name: string, { shape, dtype }: AdapterView): boolean {
  if (!forms.has(name)) return false;
  const known = forms.get(name);
  return !shape || (known !== undefined && known.dtype === dtype && isSame(known.shape, shape));
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  let axis = 0;
  while (axis < a.length && a[axis] === b[axis]) axis += 1;
  return axis === a.length && axis === b.length;
}

/** A buffer does not know the dtype of its content; the engine's tensor does. */
export function refuseOtherDtype(dtype: string, label: string): void {
  if (dtype !== "float32") throw new TypeError(`${label} is of ${dtype}; convert it to float32.`);
}
