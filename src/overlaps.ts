import { idOf, isSame, type Range } from "./ranges.ts";
import type { Tensor } from "./view.ts";

/**
 * A range listed twice is one gradient that two parameters share: it counts twice and is written once. Any other overlap would
 * be scaled twice, or read after it was written. Not every browser reports that, so it is checked here.
 */
export function refuseOverlaps(tensors: readonly Tensor[]): void {
  const uses: Use[] = [];
  const use = (range: Range, tensor: Tensor, as: Use["as"]) => {
    const { buffer, byteOffset: start, byteLength } = range;
    if (byteLength > 0) uses.push({ buffer: idOf(buffer), start, end: start + byteLength, range, tensor, as });
  };
  for (const tensor of tensors) {
    use(tensor.source, tensor, "gradient");
    if (tensor.into) use(tensor.into, tensor, "into");
    if (tensor.parameter) use(tensor.parameter.source, tensor, "parameter");
  }
  uses.sort((a, b) => a.buffer - b.buffer || a.start - b.start);
  let last: Use | undefined;
  for (const next of uses) {
    if (last?.buffer !== next.buffer) last = next;
    else if (next.start < last.end && !mayShare(last, next)) throw overlapError(last, next);
    if (next.end > last.end) last = next;
  }
}

interface Use {
  /** The number of the buffer, and bytes of it. */
  readonly buffer: number;
  readonly start: number;
  readonly end: number;
  readonly range: Range;
  readonly tensor: Tensor;
  readonly as: "gradient" | "into" | "parameter";
}

function mayShare(a: Use, b: Use): boolean {
  // Parameters are only read. They may overlap each other, but no gradient and no into.
  if (a.as === "parameter" || b.as === "parameter") return a.as === b.as;
  if (!isSame(a.range, b.range) || a.as !== b.as || a.tensor.dtype !== b.tensor.dtype) return false;
  return a.as === "into" ? isSame(a.tensor.source, b.tensor.source) : sameParameter(a.tensor, b.tensor);
}

/** A range has one bound, and therefore one parameter. */
function sameParameter({ parameter: a }: Tensor, { parameter: b }: Tensor): boolean {
  return a === undefined || b === undefined ? a === b : a.dtype === b.dtype && isSame(a.source, b.source);
}

function overlapError(a: Use, b: Use): RangeError {
  const [first, second] = a.tensor.index <= b.tensor.index ? [a, b] : [b, a];
  const subject = (use: Use) => `${use.tensor.label}${use.as === "gradient" ? "" : `.${use.as}`}`;
  const dtypes = [first, second].map(({ tensor }) => JSON.stringify(tensor.dtype));
  const isTwice = a.as === b.as && isSame(a.range, b.range);
  if (isTwice && dtypes[0] !== dtypes[1]) {
    return new RangeError(
      `${subject(first)} and ${subject(second)} are the same bytes, once as ${dtypes.join(" and once as ")}; pass one dtype.`,
    );
  }
  if (isTwice && a.as === "gradient") {
    return new RangeError(
      `${subject(first)} and ${subject(second)} are the same bytes with two parameters; pass one parameter.`,
    );
  }
  const bytes = ({ start, end }: Use) => `bytes ${start} to ${end}`;
  const remedy = a.as === b.as ? "apart or the same" : "apart";
  return new RangeError(
    `${subject(first)} and ${subject(second)} overlap (${bytes(first)} and ${bytes(second)} of one buffer); pass ranges that are ${remedy}.`,
  );
}

/**
 * Each pair of source and destination once, in two lists. Writes into other buffers come first: an in-place write would change what
 * they read.
 */
export function writesOf<P extends { readonly tensor: Tensor }>(tensors: readonly Tensor[], pieces: readonly P[]) {
  const seen = new Map<Range["buffer"], Set<number | string>>();
  const isNew = ({ source: { buffer, byteOffset }, into }: Tensor) => {
    const keys = seen.get(buffer) ?? new Set();
    if (keys.size === 0) seen.set(buffer, keys);
    const key = into ? `${byteOffset},${idOf(into.buffer)},${into.byteOffset}` : byteOffset;
    return !keys.has(key) && keys.add(key);
  };
  const distinct = tensors.filter(isNew);
  return (["into", "in-place"] as const).map((target) => {
    const written = new Set(distinct.filter(({ into }) => !!into === (target === "into")));
    return { target, tensors: [...written], pieces: pieces.filter(({ tensor }) => written.has(tensor)) };
  });
}

/** A range that is listed twice is scaled once: it has one shape, and one group. */
export function refuseTwo(tensors: readonly Tensor[], what: string, shownOf: (tensor: Tensor) => string): void {
  const first = new Map<string, Tensor>();
  for (const tensor of tensors) {
    const key = `${idOf(tensor.source.buffer)},${tensor.source.byteOffset}`;
    const other = first.get(key) ?? tensor;
    first.set(key, other);
    const [a, b] = [shownOf(other), shownOf(tensor)];
    if (a !== b) {
      throw new RangeError(
        `${other.label} and ${tensor.label} are the same bytes with ${what}s ${a} and ${b}; pass one ${what}.`,
      );
    }
  }
}
