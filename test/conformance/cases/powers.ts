/** Terms and roots of Lp as functions of p, in logarithms: where a number of exponents is divided, and on both sides of 1. */
import root from "../../../shaders/norms/lp_root.wgsl?raw&named";
import terms from "../../../shaders/norms/lp_terms.wgsl?raw&named";
import partial from "../../../shaders/shared/partial.wgsl?raw&named";
import softFloat from "../../../shaders/shared/soft_float.wgsl?raw&named";
import { resolved } from "../../../src/webgpu/template.ts";
import { dependentOn, range } from "../build.ts";
import { floatOf, randomSource } from "../numbers.ts";
import { type Call, checkEach } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";

const KERNEL = `
alias Values = f32;
struct Setting {
  power: u32,
}
var<private> table: Setting;
var<private> settings: Setting;
//#import terms
//#import root
`;

const POWERS: Call = {
  text: resolved(KERNEL, { texts: { terms, root, "shared/partial": partial, "shared/soft_float": softFloat } }),
  body: `
  table.power = at(0u);
  settings.power = at(0u);
  let term = exact_term(at(1u));
  put(0u, term.mantissa);
  put(1u, u32(term.exponent));
  var found = nothing();
  found.sum = wide(SoftFloat(at(2u), i32(at(3u))));
  let norm = norm_of(found);
  put(2u, norm.mantissa);
  put(3u, u32(norm.exponent));
`,
  inputWords: 4,
  resultWords: 4,
};

interface Input {
  /** p = power / 2^shift. */
  readonly power: number;
  readonly shift: number;
  readonly bits: number;
  readonly sum: readonly [mantissa: number, exponent: number];
}

/** In logarithms, of 2^-19 and less for a float32 function. */
function isNear(words: ArrayLike<number>, at: number, wanted: number, tolerance: number): boolean {
  return Math.abs(Math.log2(words[at] as number) + ((words[at + 1] as number) | 0) - wanted) <= tolerance * 2 ** -19;
}

function wrongIn({ power, shift, bits, sum }: Input, words: Uint32Array): readonly string[] {
  const p = power / 2 ** shift;
  const [isTerm, isRoot] = [
    bits === 0 ? words[0] === 0 : isNear(words, 0, p * Math.log2(floatOf(bits)), p + 4),
    sum[0] === 0 ? words[2] === 0 : isNear(words, 2, (Math.log2(sum[0]) + sum[1]) / p, 4 + 1 / p),
  ];
  return [
    ...(isTerm ? [] : [`the term is ${words.slice(0, 2)}`]),
    ...(isRoot ? [] : [`the root is ${words.slice(2)}`]),
  ];
}

function inputs(): Input[] {
  const random = randomSource(1);
  const below = (end: number) => Math.floor(Math.abs(random()) * end);
  const few = [1, 3, 5, 7].flatMap((power) => range(4).map((shift) => ({ power, shift })));
  const many = [0.1, 0.7, 1.5, 4, 100].map((p) => {
    const shift = 22 - Math.floor(Math.log2(p));
    return { power: Math.round(p * 2 ** shift), shift };
  });
  return [...few, ...many].flatMap(({ power, shift }) =>
    range(60).map((k): Input => {
      const bits = [0, 1, 0x7fffff, 0x800000, 0x3f800000, 0x40000000][k] ?? below(255) * 2 ** 23 + below(2 ** 23);
      const exponent = k % 3 ? k - 61 : (below(2000) - 1000) * 8;
      const mantissa = k === 7 ? 0 : 2 ** 31 + (k % 2 ? below(2 ** 24) * 128 : 0);
      return { power, shift, bits, sum: [mantissa, exponent] };
    }),
  );
}

export const cases: Case[] = dependentOn("text", [
  {
    name: "terms and roots of few digits of p and of many",
    gpuScript: (harness) =>
      checkEach(
        harness,
        POWERS,
        inputs(),
        ({ power, shift, bits, sum }) => [power + shift * 2 ** 23, bits, ...sum],
        wrongIn,
      ),
  },
]);
