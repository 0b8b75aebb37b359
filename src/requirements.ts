import { counted } from "./check.ts";
import type { TensorList } from "./gradients.ts";
import type { ClipMethod } from "./methods/method.ts";
import type { CheckedOptions } from "./options.ts";
import type { Members } from "./pieces.ts";
import { type Declared, isPresent, labelOf, type Tensor } from "./view.ts";

/** Refuses gradients that the method cannot work on. */
export function refuseUnsuited(list: TensorList, method: ClipMethod, options: CheckedOptions): void {
  refuseUnmeasured(list, method, options);
  refuseUnwritten(list, method, options);
}

/**
 * Refuses gradients whose structure differs from the prepared one: lengths, formats and, if units depend on them, shapes. Any
 * gradient may be absent.
 */
export function refuseOtherStructure(list: TensorList, prepared: TensorList, byShape: boolean): void {
  for (const [index, then] of prepared.places.entries()) {
    const now = list.places[index];
    if (!now) continue;
    const formatted = now.length === then?.length && now.dtype === then.dtype && areLaidOutAlike(now, then);
    if (formatted && !(byShape && String(now.shape) !== String(then.shape))) continue;
    const [has, had] = formatted ? [`shape [${now.shape}]`, `[${then.shape}]`] : [inWords(now), inWords(then)];
    throw new RangeError(
      `${labelOf(index, prepared.names[index])} has ${has}, but the clip was prepared for ${had}; prepare another.`,
    );
  }
}

function areLaidOutAlike(now: Declared, then: Declared): boolean {
  if (!isPresent(now) || !isPresent(then)) return true;
  return now.parameter?.dtype === then.parameter?.dtype && now.into?.dtype === then.into?.dtype;
}

function inWords(tensor: Declared | undefined): string {
  if (!tensor) return "no gradient";
  const { length, dtype, parameter, into }: Declared & Partial<Tensor> = tensor;
  const elements = counted(length, dtype === "f32" ? "element" : `${dtype} element`);
  return [elements, parameter && `a parameter of ${parameter.dtype}`, into && `an into of ${into.dtype}`]
    .filter(Boolean)
    .join(" and ");
}

/** Checks shapes, parameters and the leading axis of members, and that a total norm is for all gradients. */
function refuseUnmeasured({ tensors, declared }: TensorList, method: ClipMethod, options: CheckedOptions): void {
  const { name, grouping } = method;
  if (method.accumulate)
    refuseMissing(tensors, `${name} with accumulate`, "into", "the range that holds the sum so far");
  if (method.parametersOf) refuseMissing(tensors, name, "parameter", "the range that holds its parameter");
  if (grouping.kind === "all") return;
  if (options.totalNorm !== undefined) {
    throw new TypeError(`options.totalNorm is one norm, but ${name} has many; leave it out.`);
  }
  if ("check" in grouping) grouping.check({ tensors, declared }, name);
  if (grouping.kind === "members") refuseUneven(declared, grouping, method.examples ? "example" : "member");
}

/** A step may bring fewer examples, as many of every gradient. */
function refuseUneven(declared: readonly Declared[], { count, presentIn }: Members, part: string): void {
  const present = presentIn?.(declared) ?? count;
  for (const tensor of declared) {
    const { label, length, shape } = tensor;
    const wanted = isPresent(tensor) ? present : count;
    const leading = [shape?.[0], presentIn?.([tensor])].find((axis) => axis !== undefined && axis !== wanted);
    if (leading !== undefined) {
      throw new RangeError(
        `${label} has a leading axis of ${leading}, but the method is for ${counted(wanted, part)}; pass as many.`,
      );
    }
    if (length % count !== 0) {
      throw new RangeError(
        `${label} has ${counted(length, "element")}, which ${counted(count, part)} cannot share equally; make the ${part}s its leading axis.`,
      );
    }
  }
}

export function refuseMissing<K extends string>(
  tensors: readonly ({ readonly label: string } & { readonly [P in K]?: unknown })[],
  name: string,
  key: K,
  what: string,
): void {
  const tensor = tensors.find((tensor) => tensor[key] === undefined);
  if (tensor) throw new TypeError(`${tensor.label} has no ${key}, which ${name} needs; pass a view with ${what}.`);
}

function refuseUnwritten(
  { tensors }: TensorList,
  { name, maxNorm, limits, grouping }: ClipMethod,
  { apply }: CheckedOptions,
): void {
  if (apply === "scale" && (maxNorm !== undefined || limits || grouping.kind === "groups")) return;
  const into = tensors.find((tensor) => tensor.into);
  if (!into) return;
  throw new TypeError(
    `${into.label} has an into, but ${name} with apply: ${JSON.stringify(apply)} writes no gradient; leave it out.`,
  );
}
