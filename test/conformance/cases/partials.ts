/** What a lane makes of one value and of the values that it has summed in float32, by plain arithmetic. */
import format from "../../../shaders/formats/f32.wgsl?raw&named";
import terms from "../../../shaders/norms/l2_terms.wgsl?raw&named";
import exact from "../../../shaders/shared/exact.wgsl?raw&named";
import partial from "../../../shaders/shared/partial.wgsl?raw&named";
import softFloat from "../../../shaders/shared/soft_float.wgsl?raw&named";
import word from "../../../shaders/words/vec4.wgsl?raw&named";
import { resolved } from "../../../src/webgpu/template.ts";
import { dependentOn, range } from "../build.ts";
import { softIn } from "../digits.ts";
import { bitsOf, floatOf, randomSource } from "../numbers.ts";
import { putAll, readInto } from "../oneLane.ts";
import { type Call, checkEach } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";

const INFINITY = 0x7f800000;
const NONE = 2 ** 32 - 1;
const BIAS = 2 ** 30;
const [NAN_SEEN, INFINITY_SEEN] = [4, 8];
const PLACES = ["largest", "nonFinite", "firstPiece", "firstElement", "flags"].map((name) => `mine.${name}`);
const RESULTS = [
  "needs_exact(mine.largest)",
  "total.x",
  "total.y",
  "total.z",
  "term.mantissa",
  "term.exponent",
  ...PLACES,
];

const PARTIALS: Call = {
  text: resolved("//#import format\n//#import shared/exact\n", {
    texts: { "shared/exact": exact, "shared/partial": partial, "shared/soft_float": softFloat, format, terms, word },
  }),
  body: `
  var mine = nothing();
  ${readInto(PLACES)}
  put(0u, u32(needs_exact(mine.largest)));
  let total = wide_sum(bitcast<vec4f>(vec4u(at(5u), at(6u), at(7u), at(8u))));
  let term = counted_term(&mine, at(9u), at(10u), at(11u));
  ${putAll(RESULTS.slice(1), 1)}
`,
  inputWords: 12,
  resultWords: RESULTS.length,
};

interface Input {
  /** What the lane has. */
  readonly largest: number;
  readonly nonFinite: number;
  readonly piece: number;
  readonly element: number;
  readonly flags: number;
  /** Numbers that are summed together. */
  readonly values: readonly number[];
  /** A value, and where it is. */
  readonly bits: number;
  readonly at: readonly [piece: number, element: number];
}

function wordsFor({ largest, nonFinite, piece, element, flags, values, bits, at }: Input): number[] {
  return [largest, nonFinite, piece, element, flags, ...values.map(bitsOf), bits, ...at];
}

function wrongIn(input: Input, words: Uint32Array): readonly string[] {
  const { largest, nonFinite, flags, values, bits, at } = input;
  const isFaulty = bits >= INFINITY;
  const exponent = Math.max(...values.map((value) => bitsOf(value) >>> 23));
  // In units of 29 digits of the largest.
  const unit = 2 ** (exponent - 155);
  const total = values.reduce((sum, value) => sum + Math.floor(value / unit), 0);
  const isFirst = at[0] < input.piece || (at[0] === input.piece && at[1] < input.element);
  const first = isFaulty && isFirst ? at : [input.piece, input.element];
  const isFast = largest === 0 || (largest >= bitsOf(2 ** -40) && largest < bitsOf(2 ** 46));
  const wanted = [
    ...[Number(!isFast), total, 0, total === 0 ? 0 : BIAS + exponent - 155],
    ...[words[4], words[5], Math.max(largest, bits), nonFinite + Number(isFaulty), ...first],
    flags | (isFaulty ? (bits > INFINITY ? NAN_SEEN : INFINITY_SEEN) : 0),
  ];
  const square = isFaulty ? 0 : floatOf(bits) ** 2;
  const term = softIn(words, 4);
  const isTerm = Math.abs(term - square) <= square * 2 ** -30 && (words[4] !== 0 || square === 0);
  return [
    ...(`${words}` === `${wanted}` ? [] : [`${RESULTS} are ${words}, wanted ${wanted}`]),
    ...(isTerm ? [] : [`the term is ${term}, wanted ${square}`]),
  ];
}

function inputs(): Input[] {
  const random = randomSource(1);
  const below = (end: number) => Math.floor(Math.abs(random()) * end);
  const ends = [0, 1, 0x7fffff, 0x800000, INFINITY - 1, INFINITY, INFINITY + 1, 0x7fc00000];
  const limits = [bitsOf(2 ** -40), bitsOf(2 ** 46)].flatMap((limit) => [limit - 1, limit, limit + 1]);
  return range(2000).map((k): Input => {
    const top = 2 ** (below(150) - 60);
    const distances = [0, 1, 4, 5, 24, 28, 29, 30, 31, 32, 33, 60];
    return {
      largest: [0, ...limits][k % 20] ?? below(INFINITY),
      nonFinite: below(4),
      ...(k % 3 ? { piece: below(3), element: below(3) } : { piece: NONE, element: NONE }),
      flags: [0, 1, NAN_SEEN, INFINITY_SEEN][k % 4] as number,
      values: range(4).map((i) => {
        const value =
          (1 + below(2 ** 23) / 2 ** 23) * top * 2 ** -(i ? (distances[below(distances.length)] as number) : 0);
        return (k + i) % 11 && k % 13 ? value : 0;
      }),
      bits: ends[k % 16] ?? below(INFINITY),
      at: [below(3), below(3)],
    };
  });
}

export const cases: Case[] = dependentOn("text", [
  {
    name: "a value on the exact path, and a sum of float32",
    gpuScript: (harness) => checkEach(harness, PARTIALS, inputs(), wordsFor, wrongIn),
  },
]);
