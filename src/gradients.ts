import { counted, isPlain, kindOf, shown, wrongValue } from "./check.ts";
import { refuseOverlaps } from "./overlaps.ts";
import { backendOf, isGPUBuffer, type Range } from "./ranges.ts";
import {
  ACCEPTED,
  checkView,
  type Declared,
  declaredOf,
  type GivenView,
  type Gradient,
  isPresent,
  labelOfBuffer,
  readView,
  type Tensor,
} from "./view.ts";

/** The most entries of a list: so many take a few seconds to prepare, and half a gigabyte. */
export const MOST_GRADIENTS = 1_000_000;

/**
 * A list, or an object or a Map whose keys become names. A null or undefined entry is a parameter without a gradient; a view
 * without a buffer declares a gradient that a later step may bring. The gradients of later steps are matched with those of
 * prepare: by key, or for a list by place. There a gradient that is null, undefined or missing is absent. At most 1,000,000 entries.
 */
export type Gradients =
  | Iterable<Gradient | null | undefined>
  | Readonly<Record<string, Gradient | null | undefined>>
  | ReadonlyMap<string, Gradient | null | undefined>;

/** The caller's gradients. Every property has been read, and is not read again. */
export interface GivenGradients {
  /** The keys of an object or a Map; undefined for a list. */
  readonly keys: readonly string[] | undefined;
  /** A place without a gradient has no view. */
  readonly places: readonly { readonly name: string | undefined; readonly view: GivenView | undefined }[];
}

export interface TensorList {
  /** The gradients that are present and have elements. */
  readonly tensors: readonly Tensor[];
  /** The gradients of prepare's list that have elements, present or absent. They number pieces, groups and memories. */
  readonly declared: readonly Declared[];
  /** All entries of the list, including gradients without elements and entries without a gradient. */
  readonly places: readonly (Declared | undefined)[];
  /** The names, by place. */
  readonly names: readonly (string | undefined)[];
  readonly keys: readonly string[] | undefined;
  /** Where the gradients live; undefined if there are none. */
  readonly backend: "webgpu" | "cpu" | undefined;
}

interface Entry {
  readonly name: string | undefined;
  readonly gradient: unknown;
}

/** @param prepared at a later step: the list that gives order and names. */
export function readGivenGradients(gradients: Gradients, prepared?: TensorList): GivenGradients {
  const { keys, entries } = entriesOf(gradients);
  const ordered = prepared ? matched(keys, entries, prepared) : entries;
  const places = ordered.map(({ name, gradient }, index) => {
    if (gradient === null || gradient === undefined) return { name, view: undefined };
    const view = readView(gradient, index, name);
    return { name: prepared ? name : (view.name ?? (name || labelOfBuffer(view))), view };
  });
  return { keys, places };
}

function entriesOf(gradients: Gradients): { keys: string[] | undefined; entries: Entry[] } {
  if (typeof gradients !== "object" || gradients === null || ArrayBuffer.isView(gradients) || isGPUBuffer(gradients)) {
    throw notGradients(gradients);
  }
  const isMap = kindOf(gradients) === "Map";
  if (Symbol.iterator in gradients && !isMap) {
    const list = listed(gradients as Iterable<unknown>);
    return { keys: undefined, entries: list.map((gradient) => ({ name: undefined, gradient })) };
  }
  if (!isMap && !isPlain(gradients)) throw notGradients(gradients);
  const pairs = listed(isMap ? (gradients as Map<unknown, unknown>) : Object.entries(gradients));
  const entries = pairs.map(([name, gradient]) => {
    if (typeof name === "string") return { name, gradient };
    throw new TypeError(`gradients has the key ${shown(name)}; pass a Map whose keys are strings.`);
  });
  return { keys: entries.map(({ name }) => name), entries };
}

/** Ends where a generator does not. */
function listed<T>(entries: Iterable<T>): T[] {
  const list: T[] = [];
  for (const entry of entries) {
    if (list.length === MOST_GRADIENTS) {
      throw new RangeError(`gradients has more than ${MOST_GRADIENTS} entries; pass neighbours in one buffer as one.`);
    }
    list.push(entry);
  }
  return list;
}

function notGradients(value: unknown): TypeError {
  return wrongValue(value, "gradients", `a list or an object of gradients, each ${ACCEPTED}`);
}

/** Orders a step's entries as the prepared list, with its names. A name that the step lacks has no gradient. */
function matched(keys: readonly string[] | undefined, entries: readonly Entry[], prepared: TensorList): Entry[] {
  if (keys && !prepared.keys) {
    throw new TypeError("gradients has names, but the clip was prepared for a list; pass a list.");
  }
  if (!keys && prepared.keys) {
    throw new TypeError("gradients is a list, but the clip was prepared for names; pass an object or a Map.");
  }
  const count = prepared.names.length;
  if (!keys && entries.length !== count) {
    throw new RangeError(
      `There ${entries.length === 1 ? "is" : "are"} ${counted(entries.length, "gradient")}, but the clip was prepared for ${count}; prepare another.`,
    );
  }
  const known = new Set(prepared.keys);
  const unknown = keys?.find((key) => !known.has(key));
  if (unknown !== undefined) {
    throw new RangeError(
      `gradients has ${JSON.stringify(unknown)}, which the clip was not prepared for; prepare another.`,
    );
  }
  const byKey = new Map(entries.map(({ name, gradient }) => [name, gradient]));
  return prepared.names.map((name, index) => ({
    name,
    gradient: prepared.keys ? byKey.get(prepared.keys[index]) : entries[index]?.gradient,
  }));
}

/** Word by word the same for the same views of the same buffers. Name and group are those of prepare. */
export function keyOf({ places }: GivenGradients): unknown[] {
  const key: unknown[] = [];
  for (const { view } of places) {
    const { isDeclared, buffer, byteOffset, length, dtype, into, parameter, shape }: Partial<GivenView> = view ?? {};
    key.push(isDeclared, buffer, byteOffset, length, dtype);
    if (into) key.push("into", into.buffer, into.byteOffset, into.dtype);
    if (parameter) key.push("parameter", parameter.buffer, parameter.byteOffset, parameter.dtype);
    // A shape that will be refused is the same as no other: a new object.
    if (shape !== undefined) key.push("shape", ...(Array.isArray(shape) ? shape : [{}]));
  }
  return key;
}

/**
 * Checks the gradients in order, before any work is done. An `into` has room for one of the `examples`: their sum is written
 * there.
 * @param prepared at a step: prepare's list, which numbers the gradients.
 */
export function checkGradients(given: GivenGradients, examples?: number, prepared?: TensorList): TensorList {
  const places = given.places.map(({ name, view }, index) => {
    const known = prepared?.places[index];
    const group = prepared ? known?.group : view?.group;
    return view && checkView(view, { index, name, group }, examples ?? 1, examples && known?.length);
  });
  const declared = (prepared?.places ?? places).flatMap((known, index) => {
    if (!known || known.length === 0) return [];
    const place = places[index];
    return isPresent(place) ? [place] : [declaredOf(known)];
  });
  const tensors = places.filter((place): place is Tensor => isPresent(place) && place.length > 0);
  refuseMixture(tensors);
  refuseOverlaps(tensors);
  const first = tensors[0];
  return {
    tensors,
    declared,
    places,
    names: given.places.map(({ name }) => name),
    keys: given.keys,
    backend: first && backendOf(first.source.buffer),
  };
}

function refuseMixture(tensors: readonly Tensor[]): void {
  const [first] = tensors;
  if (!first) return;
  const backend = backendOf(first.source.buffer);
  const refuse = (range: Range | undefined, one: string, other: string) => {
    if (!range || backendOf(range.buffer) === backend) return;
    throw new TypeError(`${one} and ${other} are a GPUBuffer and an array; pass all on the GPU or all as arrays.`);
  };
  for (const { label, source, into, parameter } of tensors) {
    if (backend === "webgpu") refuse(source, first.label, label);
    else refuse(source, label, first.label);
    refuse(into, label, "its into");
    refuse(parameter?.source, label, "its parameter");
  }
}
