import { LARGEST } from "./floats.ts";

const SMALLEST_NORMAL = 2 ** -126;
/** For how many steps a memory may be filled only. */
export const LONGEST_WARMUP = 1_000_000;
const MOST_NORMS = 1_000_000;

/** Describes a value in a few words, for an error message. */
export function shown(value: unknown): string {
  if (typeof value === "string") return `the string ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === "bigint") return `the bigint ${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  const name = kindOf(value);
  if (name === "Object" && !isPlain(value)) return `an instance of ${(value as object).constructor?.name || "a class"}`;
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
}

/** What an object is, in any realm: "Map", "ArrayBuffer". */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** For a value of another type than it should have. */
export function wrongValue(value: unknown, subject: string, remedy: string): TypeError {
  return new TypeError(`${subject} is ${shown(value)}; pass ${remedy}.`);
}

/** A count with its noun, for a message: "1 element", "2 elements". */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** Whether the value is a plain object, of any realm: not a list and not an instance of a class. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Reads each own property of an options object once. An unknown name is an error: a typing mistake must not be ignored. */
export function readOptions<K extends string>(
  value: unknown,
  subject: string,
  known: readonly K[],
): { [P in K]?: unknown } {
  // No prototype: a property of Object.prototype is not an option.
  const read: { [P in K]?: unknown } = Object.create(null);
  if (value === undefined) return read;
  if (!isPlain(value)) {
    throw wrongValue(value, subject, `an object with ${inWords(known)}`);
  }
  for (const key of refuseUnknownKeys(value, subject, known)) {
    read[key] = (value as { [P in K]?: unknown })[key];
  }
  return read;
}

/** Returns the names of the object's own properties. Throws if one is unknown. */
export function refuseUnknownKeys<K extends string>(value: object, subject: string, known: readonly K[]): K[] {
  const keys = Object.keys(value);
  const unknown = keys.find((key) => !known.includes(key as K));
  if (unknown === undefined) return keys as K[];
  throw new TypeError(`${subject} has an unknown property ${JSON.stringify(unknown)}; it takes ${inWords(known)}.`);
}

/** TypeGPU's buffers, encoders and passes wrap those of WebGPU and resemble them. */
export function refuseTypeGPU(value: unknown, subject: string): void {
  const type = (value as { resourceType?: unknown } | null | undefined)?.resourceType;
  if (typeof type === "string") {
    throw new TypeError(`${subject} is TypeGPU's ${type}; pass what root.unwrap(...) gives for it.`);
  }
}

export function inWords(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

export function readOneOf<T extends string>(value: unknown, subject: string, allowed: readonly T[]): T {
  if (!allowed.includes(value as T)) {
    throw new TypeError(
      `${subject} is ${shown(value)}; use ${allowed.map((word) => JSON.stringify(word)).join(" or ")}.`,
    );
  }
  return value as T;
}

export function readBoolean(value: unknown, subject: string): boolean {
  if (typeof value !== "boolean") throw wrongValue(value, subject, "true or false");
  return value;
}

/** A number that is as it should be; `what` says how, for the message. */
export function readThat(isRight: (value: number) => boolean, value: unknown, subject: string, what: string): number {
  if (typeof value !== "number") throw wrongValue(value, subject, what);
  if (isRight(value)) return value;
  throw new RangeError(`${subject} is ${value}; pass ${what}.`);
}

/** Whether it may count elements or bytes. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

export function readInteger(value: unknown, subject: string, least: number, most: number): number {
  const isRight = (number: number) => Number.isInteger(number) && number >= least && number <= most;
  return readThat(isRight, value, subject, `a whole number from ${least} to ${most}`);
}

/** Of members or examples: each has a norm of its own. */
export function readCount(value: unknown, subject: string): number {
  return readInteger(value, subject, 1, MOST_NORMS);
}

const NORMAL = `float32 from ${SMALLEST_NORMAL} to ${LARGEST}`;

/** Rounded to float32, a positive normal one. */
function isNormal(value: number): boolean {
  const rounded = Math.fround(value);
  return rounded >= SMALLEST_NORMAL && rounded <= LARGEST;
}

/** A positive normal float32. All GPUs agree on the product of a gradient with such a factor only. */
export function readNormalFloat(value: unknown, subject: string): number {
  return Math.fround(readThat(isNormal, value, subject, `a positive ${NORMAL}`));
}

/** How much of an average is kept in a step. */
export function readDecay(value: unknown, subject: string): number {
  return readThat((number) => number >= 0 && number < 1, value, subject, "a number from 0 to under 1");
}

export function readNonNegative(value: unknown, subject: string): number {
  return readThat((number) => number >= 0 && number <= LARGEST, value, subject, `a number from 0 to ${LARGEST}`);
}

/** A bound for a norm: 0 (everything becomes 0), a positive normal float32, or Infinity (nothing is clipped). */
export function readBound(value: unknown, subject: string): number {
  const isRight = (number: number) => number === 0 || number === Infinity || isNormal(number);
  return Math.fround(readThat(isRight, value, subject, `0, a positive ${NORMAL}, or Infinity to only measure`));
}

/** A limit for values: 0, a normal float32 of either sign, or `none`, the infinity that means no limit. */
export function readLimit(value: unknown, subject: string, none: number): number {
  const isRight = (number: number) => number === 0 || number === none || isNormal(Math.abs(number));
  const what = `0, a float32 whose magnitude is from ${SMALLEST_NORMAL} to ${LARGEST}, or ${none} for no limit`;
  return Math.fround(readThat(isRight, value, subject, what)) + 0; // not -0
}
