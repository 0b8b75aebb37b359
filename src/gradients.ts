import { counted, inWords, isPlain, shown } from "./check.ts";
import { refuseOverlaps } from "./overlaps.ts";
import { backendOf, isGPUBuffer } from "./ranges.ts";
import {
  ACCEPTED,
  checkView,
  type Declared,
  declaredOf,
  type GivenView,
  type Gradient,
  isThere,
  keyOfView,
  labelOfBuffer,
  readView,
  type Tensor,
} from "./view.ts";

/**
 * A list, or an object or a Map whose keys become names; a null or undefined entry is a parameter without a gradient, and a
 * view without a buffer declares one that a step may bring. What is passed at a later step is matched to it: by key, or a list
 * by place; there null, undefined and a missing key stand for a gradient that is absent.
 */
export type Gradients =
  | Iterable<Gradient | null | undefined>
  | Readonly<Record<string, Gradient | null | undefined>>
  | ReadonlyMap<string, Gradient | null | undefined>;

/** A caller's gradients, each thing of theirs read once. */
export interface GivenGradients {
  /** Whether they came by name, in an object or a Map. */
  readonly keys: readonly string[] | undefined;
  readonly places: readonly Place[];
}

interface Place {
  readonly name: string | undefined;
  /** Undefined where there is no gradient. */
  readonly view: GivenView | undefined;
}

export interface TensorList {
  /** The gradients that are there and have elements. */
  readonly tensors: readonly Tensor[];
  /** What pieces, groups and memories are numbered by: all that have elements in prepare's list, there or absent. */
  readonly declared: readonly Declared[];
  /** All entries of the list, those without elements and without a gradient too. */
  readonly places: readonly (Declared | undefined)[];
  /** What they are called, by place. */
  readonly names: readonly (string | undefined)[];
  readonly keys: readonly string[] | undefined;
  /** Where they live; undefined when there are none. */
  readonly backend: "webgpu" | "cpu" | undefined;
}

interface Entry {
  readonly name: string | undefined;
  readonly gradient: unknown;
}

/** @param prepared at a step: the list whose order and names they take. */
export function readGivenGradients(gradients: Gradients, prepared?: TensorList): GivenGradients {
  const { keys, entries } = entriesOf(gradients);
  const ordered = prepared ? matched(keys, entries, prepared) : entries;
  const places = ordered.map(({ name, gradient }, index): Place => {
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
  const isMap = Object.prototype.toString.call(gradients) === "[object Map]";
  if (Symbol.iterator in gradients && !isMap) {
    const list = [...(gradients as Iterable<unknown>)];
    return { keys: undefined, entries: list.map((gradient) => ({ name: undefined, gradient })) };
  }
  if (!isMap && !isPlain(gradients)) throw notGradients(gradients);
  const pairs: [unknown, unknown][] = isMap ? [...(gradients as Map<unknown, unknown>)] : Object.entries(gradients);
  const entries = pairs.map(([name, gradient]) => {
    if (typeof name === "string") return { name, gradient };
    throw new TypeError(`gradients has the key ${shown(name)}; pass a Map whose keys are strings.`);
  });
  return { keys: entries.map(({ name }) => name), entries };
}

function notGradients(value: unknown): TypeError {
  return new TypeError(`gradients is ${shown(value)}; pass a list or an object of gradients, each ${ACCEPTED}.`);
}

/** In the order of the prepared list, under its names; what it has and the step has not is absent. */
function matched(keys: readonly string[] | undefined, entries: readonly Entry[], prepared: TensorList): Entry[] {
  if (keys && !prepared.keys) {
    throw new TypeError("gradients has names, but the clip was prepared for a list; pass a list in the same order.");
  }
  if (!keys && prepared.keys) {
    throw new TypeError(
      "gradients is a list, but the clip was prepared for gradients by name; pass an object or a Map with the same names.",
    );
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
      `gradients has ${JSON.stringify(unknown)}, which the clip was not prepared for; pass the names that it was prepared for, or prepare another.`,
    );
  }
  const byKey = new Map(entries.map(({ name, gradient }) => [name, gradient]));
  return prepared.names.map((name, index) => ({
    name,
    gradient: prepared.keys ? byKey.get(prepared.keys[index]) : entries[index]?.gradient,
  }));
}

/** Equal for gradients that read alike, in the same GPU buffers; undefined for arrays and for whatever is to be refused. */
export function keyOf({ places }: GivenGradients): string | undefined {
  const keys = places.map(({ view }) => (view ? keyOfView(view) : "-"));
  return keys.includes(undefined) ? undefined : keys.join(";");
}

/**
 * Checks gradients in order, refusing whatever can be seen to be wrong before anything is done. An `into` has room for one
 * of as many `examples`, whose sum goes there.
 * @param prepared at a step: the list that it is numbered by.
 */
export function checkGradients(given: GivenGradients, examples = 1, prepared?: TensorList): TensorList {
  const places = given.places.map(({ name, view }, index) => view && checkView(view, index, name, examples));
  const declared = (prepared?.places ?? places).flatMap((known, index) => {
    if (!known || known.length === 0) return [];
    const place = places[index];
    return isThere(place) ? [place] : [declaredOf(known)];
  });
  const tensors = places.filter((place): place is Tensor => isThere(place) && place.length > 0);
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
  const first = tensors[0];
  if (!first) return;
  const backend = backendOf(first.source.buffer);
  for (const tensor of tensors) {
    if (backendOf(tensor.source.buffer) !== backend) {
      refuseTwoBackends(backend === "webgpu" ? [first.label, tensor.label] : [tensor.label, first.label]);
    }
    for (const [what, range] of Object.entries({ into: tensor.into, parameter: tensor.parameter?.source })) {
      if (range && backendOf(range.buffer) !== backend) refuseTwoBackends([tensor.label, `its ${what}`]);
    }
  }
}

function refuseTwoBackends(subjects: readonly string[]): never {
  throw new TypeError(
    `${inWords(subjects)} are a GPUBuffer and a typed array; pass all gradients on the GPU or all as arrays.`,
  );
}
