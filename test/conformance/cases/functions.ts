/** Functions that the kernels share, called directly, and the same in plain arithmetic: bit for bit, on inputs where rounding is hardest. */
import bf16 from "../../../shaders/formats/bf16.wgsl?raw&named";
import f16 from "../../../shaders/formats/f16.wgsl?raw&named";
import f32 from "../../../shaders/formats/f32.wgsl?raw&named";
import packed from "../../../shaders/formats/packed.wgsl?raw&named";
import bits from "../../../shaders/shared/bits.wgsl?raw&named";
import clipped from "../../../shaders/shared/clipped.wgsl?raw&named";
import multiplied from "../../../shaders/shared/multiplied.wgsl?raw&named";
import units from "../../../shaders/shared/units.wgsl?raw&named";
import u32 from "../../../shaders/words/u32.wgsl?raw&named";
import vec4 from "../../../shaders/words/vec4.wgsl?raw&named";
import { resolved } from "../../../src/webgpu/template.ts";
import { range } from "../build.ts";
import { fail } from "../expect.ts";
import { bitsIn, bitsOf, FORMATS, floatOf, number16, randomSource } from "../numbers.ts";
import { type Call, resultsOf } from "../shaderFunctions.ts";
import type { Case, Dtype, WebGpuHarness } from "../types.ts";

const SIGN = 0x80000000;
const INFINITY = 0x7f800000;
const NAN = 0x7fc00000;

/** `undefined` in what is wanted: more than one answer is right. A list: one of these. */
type Wanted = readonly (number | readonly number[] | undefined)[];

async function compare(
  harness: WebGpuHarness,
  call: Call,
  inputs: readonly (readonly number[])[],
  wantedOf: (input: readonly number[]) => Wanted,
): Promise<void> {
  const found = await resultsOf(harness, call, Uint32Array.from(inputs.flat()));
  const wrong = inputs.flatMap((input, i) =>
    wantedOf(input).flatMap((want, k) => {
      const got = found[i * call.resultWords + k];
      const right = want === undefined ? [got] : [want].flat().map((one) => one >>> 0);
      if (right.includes(got)) return [];
      return [`result ${k} of ${input.map(hex)} is ${hex(got ?? 0)}, wanted ${right.map((one) => hex(one ?? 0))}`];
    }),
  );
  if (wrong.length > 0) fail(`${wrong.length} wrong:\n  ${wrong.slice(0, 5).join("\n  ")}`);
}

function hex(word: number): string {
  return `0x${word.toString(16)}`;
}

function randomWords(seed: number): () => number {
  const random = randomSource(seed);
  // One number has 24 digits.
  return () => Math.floor(Math.abs(random()) * 2 ** 16) * 2 ** 16 + Math.floor(Math.abs(random()) * 2 ** 16);
}

// A word of gradients

const WIDTHS = { u32: 1, vec4: 4 } as const;
type Word = keyof typeof WIDTHS;
const TEXTS = {
  f32: { format: f32 },
  f16: { format: f16, "formats/packed": packed },
  bf16: { format: bf16, "formats/packed": packed },
};

/** Its input: the word, a factor, an element, two words of float32s. Its results: see wantedOfWord. */
function callFor(dtype: Dtype, word: Word): Call {
  const width = WIDTHS[word];
  const lanes = range(width);
  const read = (first: number) => `Word(${lanes.map((lane) => `at(${first + lane}u)`)})`;
  const names = [
    "bitcast<Word>(values_of(word))",
    "bitcast<Word>(more_values_of(word))",
    "scaled_word(word, bitcast<f32>(at(FACTOR)))",
    "bits_of(word)",
    "more_bits_of(word)",
    "word_with(low, high)",
    "magnitude(word)",
    "Word(largest_of(magnitude(word)))",
    "Word(largest_lane(word))",
    "Word(sum_of(word))",
    "Word(element_of(word, element))",
    "with_element(word, element, low.LANE)",
  ];
  const puts = names.map((name, k) => {
    const all = lanes.map((lane) => `put(${k * width + lane}u, got[${lane}]);`);
    const one = `put(${k}u, got);`;
    return `{ let got = ${name}; ${width === 1 ? one : all.join(" ")} }`;
  });
  const body = `
  let word = ${read(0)};
  let element = at(${width + 1}u);
  let low = ${read(width + 2)};
  let high = ${read(2 * width + 2)};
  ${puts.join("\n  ")}
`;
  return {
    text: resolved("//#import shared/bits", {
      texts: { word: word === "u32" ? u32 : vec4, ...TEXTS[dtype], "shared/bits": bits },
      conditions: { PACKED: dtype !== "f32", UNPACKED: dtype === "f32" },
    }),
    body: body.replace("FACTOR", `${width}u`).replace("low.LANE", width === 1 ? "low" : "low[0]"),
    inputWords: 3 * width + 2,
    resultWords: names.length * width,
  };
}

function elementBits(dtype: Dtype, pattern: number): number {
  if (dtype === "f32") return pattern;
  const sign = (pattern & 0x8000) * 2 ** 16;
  const value = number16(dtype, pattern & 0x7fff);
  if (Number.isFinite(value)) return sign + bitsOf(value);
  return sign + (dtype === "f16" ? INFINITY + (pattern & 0x3ff) * 2 ** 13 : (pattern & 0x7fff) * 2 ** 16);
}

/** The pattern of a float32. A NaN has come from the format. */
function patternOf(dtype: Dtype, bits: number): number {
  if (dtype === "f32") return bits;
  const sign = bits >= SIGN ? 0x8000 : 0;
  const magnitude = bits % SIGN;
  if (magnitude <= INFINITY) return sign + (bitsIn(dtype, floatOf(magnitude)) & 0x7fff);
  return sign + (dtype === "f16" ? 0x7c00 + ((magnitude >> 13) & 0x3ff) : magnitude >> 16);
}

function isFinitePattern(dtype: Dtype, pattern: number): boolean {
  return elementBits(dtype, pattern) % SIGN < INFINITY;
}

/** The elements of one 32-bit word, the first in the low half. */
function elementsOf(dtype: Dtype, word: number): number[] {
  return dtype === "f32" ? [word] : [word & 0xffff, word >>> 16];
}

function joined(patterns: readonly number[]): number {
  return patterns.reduce((word, pattern, k) => word + pattern * 2 ** (16 * k), 0);
}

function wantedOfWord(dtype: Dtype, word: Word): (input: readonly number[]) => Wanted {
  const width = WIDTHS[word];
  const isPacked = dtype !== "f32";
  return (input) => {
    const words = input.slice(0, width);
    const factor = floatOf(input[width] as number);
    const element = input[width + 1] as number;
    const low = input.slice(width + 2, 2 * width + 2);
    const high = input.slice(2 * width + 2);
    const ofEach = (of: (patterns: number[]) => Wanted[number]) => words.map((one) => of(elementsOf(dtype, one)));
    // Where keeps_values of shared/spans.wgsl has been asked, a device may flush subnormal float16s.
    const flushed = (pattern: number) => (dtype === "f16" && (pattern & 0x7c00) === 0 ? pattern & 0x8000 : pattern);
    const decoded = (pattern: number) => [pattern, flushed(pattern)].map((one) => elementBits(dtype, one & 0x7fff));
    const isAllFinite = words.every((one) =>
      elementsOf(dtype, one).every((pattern) => isFinitePattern(dtype, pattern)),
    );
    const ifFinite = (list: Wanted) => (isAllFinite ? list : list.map(() => undefined));
    const magnitudes = words.flatMap((one) => elementsOf(dtype, one)).map((one) => one % (isPacked ? 0x8000 : SIGN));
    const largest = Math.max(...magnitudes);
    const every = (value: number | undefined) => words.map(() => value);
    // A device may flush what is subnormal, before the product and after.
    const scaledBits = (pattern: number) => {
      const bits = elementBits(dtype, pattern);
      const product = floatOf(bits) * factor;
      return bits % SIGN === 0 || Math.abs(product) >= 2 ** -126 ? bitsOf(product) : undefined;
    };
    const scaled = (patterns: readonly number[]) => {
      if (patterns.map(scaledBits).includes(undefined)) return undefined;
      return [patterns, patterns.map(flushed)].map((all) =>
        joined(all.map((pattern) => patternOf(dtype, scaledBits(pattern) as number))),
      );
    };
    const place = isPacked ? Math.floor(element / 2) : element;
    const changed = words.map((one, lane) => {
      if (lane !== place) return one;
      const patterns = elementsOf(dtype, one);
      patterns[isPacked ? element % 2 : 0] = patternOf(dtype, low[0] as number);
      return joined(patterns);
    });
    return [
      ...ifFinite(ofEach(([first = 0]) => (isPacked ? decoded(first) : elementBits(dtype, first)))),
      ...ifFinite(ofEach(([, second = 0]) => decoded(second))),
      ...ifFinite(ofEach(scaled)),
      ...ifFinite(ofEach(([first = 0]) => elementBits(dtype, first))),
      ...ifFinite(ofEach(([, second = 0]) => elementBits(dtype, second))),
      ...low.map((bits, lane) => {
        const other = isPacked ? [high[lane] as number] : [];
        const both = [bits, ...other];
        // Of finite numbers.
        if (both.some((one) => one % SIGN >= INFINITY)) return undefined;
        return joined(both.map((one) => patternOf(dtype, one)));
      }),
      ...ofEach((all) => Math.max(...all.map((pattern) => pattern % (isPacked ? 0x8000 : SIGN)))),
      ...every(elementBits(dtype, largest)),
      ...every(Math.max(...words)),
      ...every(words.reduce((sum, one) => (sum + one) % 2 ** 32, 0)),
      ...every(elementBits(dtype, elementsOf(dtype, words[place] as number)[isPacked ? element % 2 : 0] as number)),
      ...changed,
    ];
  };
}

/** A float32 that is near a number of the format, in the middle between two, or beside the middle. */
function hardFloats(dtype: "f16" | "bf16"): number[] {
  const { largest, smallestExponent, precision } = FORMATS[dtype];
  const random = randomWords(1);
  const atTies = range(400).flatMap((k) => {
    const pattern = k < 40 ? k : random() % patternOf(dtype, bitsOf(largest));
    const middle = (number16(dtype, pattern) + number16(dtype, pattern + 1)) / 2;
    return [-1, 0, 1].map((off) => Math.max(bitsOf(middle) + off, 0));
  });
  const beyond = largest + 2 ** (Math.floor(Math.log2(largest)) - precision);
  const ends = [0, 1, 0x7fffff, bitsOf(largest), bitsOf(beyond) - 1, bitsOf(beyond), bitsOf(beyond) + 1];
  const smallest = bitsOf(2 ** (smallestExponent - precision));
  return [...atTies, ...ends, smallest, smallest + 1, 0x7f7fffff, INFINITY];
}

function inputsFor(dtype: Dtype, word: Word): number[][] {
  const width = WIDTHS[word];
  const random = randomWords(2);
  const hard = dtype === "f32" ? [0, 1, 0x7fffff, INFINITY, 0x7f7fffff] : hardFloats(dtype);
  const elements = dtype === "f32" ? width : 2 * width;
  const float = (k: number) => (hard[k % hard.length] as number) + (random() % 2 ? SIGN : 0);
  // Around the ends of what is finite, and of what is normal; and all over the range.
  const ends =
    dtype === "f16" ? [0x7bff, 0x7c00, 0x7c01, 0x3ff, 0x400, 0x7fff] : [0x7f7f, 0x7f80, 0x7f81, 0x7f, 0x80, 0x7fff];
  const half = (k: number) => (ends[k % 19] ?? (k * 31) % 0x8000) + (random() % 2 ? 0x8000 : 0);
  const wordAt = (k: number) => (dtype === "f32" ? random() : joined([half(k), half(k * 7 + 5)]));
  // Of 12 digits, so that products are exact.
  const factorAt = (k: number) => bitsOf((1 - (random() % 4096) / 8192) * 2 ** -(k % 6));
  return range(dtype === "f32" ? 300 : 6000 / width).map((k) => {
    const words = range(width).map((lane) =>
      k % 2 && dtype !== "f32" ? wordAt(width * k + lane) & 0x3fff3fff : wordAt(width * k + lane),
    );
    const low = range(width).map((lane) => float(width * k + lane));
    const high = range(width).map((lane) => float(width * k + lane + 5));
    // A NaN or an infinity of the format, now and then.
    if (k % 7 === 3)
      low[0] = elementBits(dtype, dtype === "f32" ? random() : ((k * 13) % 1024) | (dtype === "f16" ? 0x7c00 : 0x7f80));
    return [...words, factorAt(k), k % elements, ...low, ...high];
  });
}

// One value

/** value, scale.x, scale.y, flags */
const CLIPPED: Call = {
  text: clipped,
  body: "put(0u, clipped_bits(at(0u), vec2u(at(1u), at(2u)), at(3u)));",
  inputWords: 4,
  resultWords: 1,
};

const ONE = bitsOf(1);

function wantedClipped([bits = 0, x = 0, y = 0, flags = 0]: readonly number[]): Wanted {
  const [sign, magnitude] = [bits >= SIGN ? SIGN : 0, bits % SIGN];
  if (flags & 2) return [0];
  if (x === ONE && y === ONE) return [bits];
  if (magnitude >= INFINITY || x % SIGN > INFINITY) return [NAN];
  const factor = floatOf(y === ONE ? x : y);
  const exact = floatOf(magnitude) * factor;
  const rounded = Math.fround(exact);
  const result = y === ONE ? rounded : rounded * floatOf(x);
  // A subnormal value counts only where it is enlarged; elsewhere the device may flush it, and what it becomes.
  const isFlushed = y === ONE && (magnitude < 0x800000 ? factor <= 1 : exact < 2 ** -126);
  if ((isFlushed && magnitude > 0) || rounded > 3e38) return [undefined];
  return [sign + (result < 2 ** -126 ? 0 : bitsOf(result))];
}

function clippedInputs(): number[][] {
  const random = randomWords(3);
  const fraction = () => random() % 2 ** 23;
  const floats = [0, 1, 0x7fffff, 0x800000, 0x800001, ONE, INFINITY - 1, INFINITY, INFINITY + 1, NAN];
  const scales = [
    [ONE, ONE],
    [ONE - 1, ONE],
    [ONE + 1, ONE],
    [0, ONE],
    [NAN, ONE],
    [NAN + SIGN, ONE],
    [bitsOf(3e10), ONE],
    [0x800000, ONE - 1],
    [0x800000, 0x800000],
  ];
  const special = floats.flatMap((bits) =>
    scales.flatMap((scale) =>
      [0, 1, 2, 4, 8].flatMap((flags) => [bits, bits + SIGN].map((one) => [one, ...scale, flags])),
    ),
  );
  // Two factors, the first the smallest normal number: what comes out is around that.
  const tiny = range(900).map((k) => {
    const power = 3 + (k % 120);
    const value = (127 + power) * 2 ** 23 + fraction() + (k % 2 ? SIGN : 0);
    return [value, 0x800000, (125 - power + (k % 5)) * 2 ** 23 + fraction(), 0];
  });
  const enlarged = range(600).map((k) => {
    const value = (random() % 2 ** (1 + (k % 23))) + (k % 2 ? SIGN : 0);
    return [value, (127 + (k % 40)) * 2 ** 23 + fraction(), ONE, 0];
  });
  const usual = range(400).map(() => [
    random() % INFINITY,
    (80 + (random() % 60)) * 2 ** 23 + fraction(),
    ONE,
    random() % 2,
  ]);
  return [...special, ...tiny, ...enlarged, ...usual];
}

const MULTIPLIED: Call = {
  text: resolved("//#import shared/multiplied", { texts: { "shared/multiplied": multiplied, word: u32 } }),
  body: "put(0u, multiplied(at(0u), bitcast<f32>(at(1u)), at(2u)));",
  inputWords: 3,
  resultWords: 1,
};

function wantedMultiplied([bits = 0, factor = 0, least = 0]: readonly number[]): Wanted {
  if (factor === ONE) return [bits];
  const product = Math.fround(floatOf(bits % SIGN) * floatOf(factor));
  if (product > 3e38 || (product < 2 ** -126 && product > 0 && least === 0)) return [undefined];
  return [(bits >= SIGN ? SIGN : 0) + (product < floatOf(least) ? 0 : bitsOf(product))];
}

function multipliedInputs(): number[][] {
  const random = randomWords(4);
  return range(800).map((k) => {
    const value = [0, ONE, bitsOf(2), 0x800000][k % 13] ?? random() % 0x7f000000;
    const factor = [ONE, bitsOf(0.5), bitsOf(1.5), bitsOf(2)][k % 5] ?? ONE - (random() % 2 ** 24);
    return [value + (k % 2 ? SIGN : 0), factor, k % 3 ? 0x800000 : ([0, ONE][k % 2] as number)];
  });
}

/** The periods, the stride, the changes, a number. */
const RENUMBERED: Call = {
  text: units,
  body: "put(0u, renumbered(Numbering(vec3u(at(0u), at(1u), at(2u)), at(3u), vec3u(at(4u), at(5u), at(6u))), at(7u)));",
  inputWords: 8,
  resultWords: 1,
};

function wantedRenumbered([x = 0, y = 0, z = 0, stride = 0, ...rest]: readonly number[]): Wanted {
  const [number = 0] = rest.slice(3);
  const ended = [x, y, z].map((period) => BigInt(Math.floor(number / period)));
  const other = rest.slice(0, 3).reduce((sum, change, i) => sum + (ended[i] as bigint) * BigInt(change), 0n);
  return [Number((BigInt(number) * BigInt(stride) + other) % 2n ** 32n)];
}

function renumberedInputs(): number[][] {
  const random = randomWords(5);
  const never = 2 ** 32 - 1;
  return range(300).map((k) => {
    const inner = 1 + (random() % 9);
    const periods = [inner, inner * 3, inner * 21].map((period, axis) => (axis < k % 4 ? period : never));
    return [...periods, random() % 5, random(), random(), random(), k % 7 ? random() % 10_000 : random() % never];
  });
}

export const cases: Case[] = [
  ...(["f32", "f16", "bf16"] as const).flatMap((dtype) =>
    (["u32", "vec4"] as const).map(
      (word): Case => ({
        name: `${dtype} in a word of ${32 * WIDTHS[word]} bits`,
        gpuScript: (harness) =>
          compare(harness, callFor(dtype, word), inputsFor(dtype, word), wantedOfWord(dtype, word)),
      }),
    ),
  ),
  {
    name: "a value under a scale of one factor, of two, and of none",
    gpuScript: (harness) => compare(harness, CLIPPED, clippedInputs(), wantedClipped),
  },
  {
    name: "products, and those that are too small",
    gpuScript: (harness) => compare(harness, MULTIPLIED, multipliedInputs(), wantedMultiplied),
  },
  {
    name: "elements and their units",
    gpuScript: (harness) => compare(harness, RENUMBERED, renumberedInputs(), wantedRenumbered),
  },
];
