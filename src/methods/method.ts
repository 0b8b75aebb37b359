import {
  isPlain,
  readBoolean,
  readBound,
  readCount,
  readNonNegative,
  readNormalFloat,
  readOneOf,
  readOptions,
  shown,
  wrongValue,
} from "../check.ts";
import type { NormKind } from "../norms/norm.ts";
import type { Grouping } from "../pieces.ts";
import type { Dtype } from "../ranges.ts";
import type { Rule } from "../rules/rule.ts";
import type { Declared } from "../view.ts";

/**
 * The passes that carry out a method on each backend, in order: of a type that only the backend knows. A method carries a
 * reference to its own only, so that a page ships just the shaders of the methods that it names. An entry for one backend has
 * none for the other.
 */
export interface Passes {
  readonly webgpu?: object;
  readonly cpu?: object;
}

/**
 * A method of clipping: plain data that `clipByGlobalNorm(...)` and similar functions return, to be passed on as it is: what
 * it holds besides its name and its numbers is not part of the interface.
 */
export interface ClipMethod {
  readonly name: string;
  /** The first bound; `Clip.set({ maxNorm })` changes it. Undefined for a method without a bound. */
  readonly maxNorm?: number;
  /** A number that is added to the norm before the division; default 0. */
  readonly eps?: number;
  /** @internal */
  readonly norm: NormKind;
  /** @internal */
  readonly grouping: Grouping;
  /** @internal */
  readonly rule: Rule;
  readonly passes: Passes;
  /** @internal For clipping each value by itself: the limits as numbers of the dtype. */
  readonly limits?: (dtype: Dtype) => readonly [low: number, high: number];
  /** @internal For summing the clipped gradients: the number of examples along the leading axis. */
  readonly examples?: number;
  /** @internal For such sums: whether they are added to what is in `into`. */
  readonly accumulate?: boolean;
  /** @internal Where the bound follows from the gradients' parameters: these as tensors, absent where the gradient is. */
  readonly parametersOf?: (declared: readonly Declared[]) => Declared[];
  /** @internal Refuses options that do not go with it. */
  readonly checkOptions?: (
    options: Pick<Readonly<Record<string, unknown>>, "apply" | "totalNorm" | "tensorNorms">,
  ) => void;
}

const KEYS = Object.keys({
  name: 0,
  maxNorm: 0,
  eps: 0,
  norm: 0,
  grouping: 0,
  rule: 0,
  passes: 0,
  limits: 0,
  examples: 0,
  accumulate: 0,
  parametersOf: 0,
  checkOptions: 0,
} satisfies Record<keyof ClipMethod, 0>) as (keyof ClipMethod)[];

const GROUPINGS = ["all", "tensor", "members", "units", "groups", "found"] as const;

/** Reads a method and checks it: a caller may have built it from another one by hand. */
export function readMethod(value: unknown): ClipMethod {
  if (!isPlain(value) || !("rule" in value)) throw notMade(value, "method");
  const read = readOptions(value, "method", KEYS);
  const method = read as ClipMethod;
  const { name, maxNorm, eps, norm, grouping, rule, passes, examples } = method;
  if (typeof name !== "string") throw notMade(name, "method.name");
  if (typeof norm?.terms !== "string") throw notMade(norm, "method.norm");
  if (typeof rule?.wgsl !== "string") throw notMade(rule, "method.rule");
  if (!isPlain(grouping)) throw notMade(grouping, "method.grouping");
  if (!isPlain(passes)) throw notMade(passes, "method.passes");
  if (maxNorm !== undefined) read.maxNorm = (rule.isScaled ? readNormalFloat : readBound)(maxNorm, "method.maxNorm");
  if (eps !== undefined) readNonNegative(eps, "method.eps");
  readBoolean(method.accumulate ?? false, "method.accumulate");
  readOneOf(grouping.kind, "method.grouping.kind", GROUPINGS);
  if (grouping.kind === "members") readCount(grouping.count, "method.grouping.count");
  const members = grouping.kind === "members" ? grouping.count : undefined;
  if (examples !== undefined && examples !== members) {
    throw new RangeError(
      `method.examples is ${shown(examples)}, but method.grouping.count is ${shown(members)}; pass one number.`,
    );
  }
  return method;
}

function notMade(value: unknown, subject: string): TypeError {
  return wrongValue(value, subject, "what a method such as clipByGlobalNorm(1) returns");
}
