/** The rule that skips what stands out as a function of what it remembers and of a row of norms and losses, by its definition in float64. */
import rule from "../../../shaders/rules/global.wgsl?raw&named";
import difference from "../../../shaders/shared/difference.wgsl?raw&named";
import judge from "../../../shaders/shared/judge.wgsl?raw&named";
import skip from "../../../shaders/skips/spikes.wgsl?raw&named";
import { dependentOn, range } from "../build.ts";
import { bitsOf, floatOf, randomSource } from "../numbers.ts";
import { asFunctions, putAll, readInto } from "../oneLane.ts";
import { spikesAmong } from "../referenceSkip.ts";
import { type Call, checkEach } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";

const WORDS = 16;
const STEPS = 24;
const HEAD = ["window", "warmup", "sigmas", "lossIndex", "listAt", "normsSeen", "normsNext", "lossesSeen", "lossesNext"]
  .map((name) => `state.skip.${name}`)
  .concat(range(WORDS).map((k) => `state.words[${k}]`));
const FIRST = HEAD.length + 1;

const SPIKES: Call = {
  text: asFunctions(
    "//#import shared/decide\n//#import shared/fold\n",
    {
      texts: { rule, skip, "shared/difference": difference, "shared/judge": judge },
      conditions: { SKIPS: true, LOSS: true },
      tokens: { LOSS_AT: "9" },
    },
    WORDS,
  ),
  body: `
  ${readInto(HEAD)}
  for (var k = 0u; k < at(${HEAD.length}u); k += 1u) {
    let norm = at(${FIRST}u + 2u * k);
    lossSource[state.skip.lossIndex] = at(${FIRST + 1}u + 2u * k);
    var isSpike = false;
    // As prepare_skip and is_spike, with one text for both lists, so that it compiles in half the time.
    for (var list = 0u; list < 2u; list += 1u) {
      var values = norms();
      if (list == 1u) {
        values = losses();
      }
      normLimit = limit_of(values, 0u);
      lossLimit = normLimit;
      if (list == 1u) {
        isSpike = is_loss_spike() || isSpike;
      } else if (norm < INFINITY_BITS) {
        isSpike = is_norm_spike(soft_float(norm));
      }
    }
    put(k, u32(isSpike));
  }
  ${putAll(HEAD, STEPS)}
`,
  inputWords: FIRST + 2 * STEPS,
  resultWords: STEPS + HEAD.length,
};

/** The last values before, the oldest first, and how many there were before. */
interface Before {
  readonly last: readonly number[];
  readonly seen: number;
}

interface SpikesRow {
  readonly window: number;
  readonly warmup: number;
  readonly sigmas: number;
  readonly before: readonly [Before, Before];
  readonly norms: readonly number[];
  readonly losses: readonly number[];
  /** No verdict is near enough to be either. */
  readonly isClear?: true;
}

const LIST_AT = 2;

/** Of a list: its words, and the place of the next value. */
function listOf({ last }: Before, window: number): { words: number[]; next: number } {
  const turned = last.length === window ? 1 : 0;
  const values = [...last.slice(last.length - turned), ...last.slice(0, last.length - turned)];
  return { words: range(window).map((i) => bitsOf(values[i] ?? 0)), next: turned || last.length };
}

function spikesWords({ window, warmup, sigmas, before, norms, losses }: SpikesRow): number[] {
  const [first, second] = before.map((one) => listOf(one, window)) as [
    ReturnType<typeof listOf>,
    ReturnType<typeof listOf>,
  ];
  const words = [...range(LIST_AT).map(() => 9), ...first.words, ...second.words];
  return [
    ...[window, warmup, bitsOf(sigmas), 5, LIST_AT, before[0].seen, first.next, before[1].seen, second.next],
    ...range(WORDS).map((i) => words[i] ?? 9),
    norms.length,
    ...norms.flatMap((norm, k) => [bitsOf(norm), bitsOf(losses[k] as number)]),
  ];
}

function wrongSpikes({ norms, losses, before, isClear, ...rule }: SpikesRow, words: Uint32Array): readonly string[] {
  const verdicts = [norms, losses].map((values, i) => {
    const { last } = before[i as 0 | 1];
    return spikesAmong([...last, ...values], rule, isClear && 0).slice(last.length);
  });
  const wrong = norms.flatMap((_, k) => {
    const [ofNorm, ofLoss] = [verdicts[0]?.[k], Number.isFinite(losses[k]) ? verdicts[1]?.[k] : true];
    if (ofNorm === "either" || ofLoss === "either") return [];
    return words[k] === Number(ofNorm || ofLoss) ? [] : [`verdict ${k} is ${words[k]}, wanted ${ofNorm} or ${ofLoss}`];
  });
  const { window } = rule;
  const lists = [norms, losses].map((values, i) => {
    const { last, seen } = before[i as 0 | 1];
    const { words: list, next } = listOf({ last, seen }, window);
    const finite = values.filter(Number.isFinite);
    finite.forEach((value, k) => {
      list[(next + k) % window] = bitsOf(value);
    });
    return { list, seen: Math.min(seen + finite.length, 2 ** 32 - 1), next: (next + finite.length) % window };
  });
  const wanted = [...lists.flatMap(({ seen, next }) => [seen, next]), 9, 9, ...lists.flatMap(({ list }) => list)];
  const got = words.subarray(STEPS + 5, STEPS + 5 + wanted.length);
  return `${got}` === `${wanted}` ? wrong : [...wrong, `afterwards it has ${got}, wanted ${wanted}`];
}

function spikesRows(): SpikesRow[] {
  const random = randomSource(4);
  const empty: Before = { last: [], seen: 0 };
  return range(200).map((k): SpikesRow => {
    const window = 2 + (k % 6);
    const count = 1 + (k % STEPS);
    const full = (value: () => number): Before => ({ last: range(window).map(value), seen: 2 ** 32 - 2 });
    const loss = () => Math.fround((k % 2 ? 3 : 0) + random());
    // Values that are all the same, and then one more than that.
    const same = Math.fround(0.1 + (k % 10));
    const norm = (i: number) =>
      k % 4 === 0
        ? floatOf(bitsOf(same) + (i % 5 === 4 ? 1 : 0))
        : Math.fround(Math.exp(random()) * (i % 6 === 5 ? 20 : 1));
    const bad = (value: number, i: number) =>
      k % 3 === 0 && i % 7 === 3 ? ([Number.NaN, Infinity][i % 2] as number) : value;
    return {
      window,
      warmup: 3 + (k % 3),
      sigmas: [0.5, 1, 2, 3][k % 4] as number,
      before: k % 9 === 8 && window > 3 ? [full(() => norm(0)), full(loss)] : [empty, empty],
      norms: range(count).map((i) => bad(norm(i), i)),
      losses: range(count).map((i) => bad(k % 5 === 0 ? same : loss(), i + 2)),
    };
  });
}

/** Values on either side of a mean that has no end, and nothing to be added to it: the mean counts with more digits than a float32 has. */
function nearMeans(): SpikesRow[] {
  const empty: Before = { last: [], seen: 0 };
  const third = bitsOf(1 / 3);
  return [2, 3, 6, 7].flatMap((window) =>
    [-2, -1, 0, 1].flatMap((off) =>
      [0, 2 ** 20, -(2 ** 20)].map((first): SpikesRow => {
        const values = range(window).map((i) => first + (i % 3 === 2 ? 1 : 0));
        const value = window % 3 || first ? first + 0.5 + off / 8 : floatOf(third + off);
        const [norms, losses] = [
          [...values.map(Math.abs), Math.abs(value)],
          [...values, value],
        ];
        return { window, warmup: 3, sigmas: 2 ** -126, before: [empty, empty], norms, losses, isClear: true };
      }),
    ),
  );
}

export const cases: Case[] = dependentOn("text", [
  {
    name: "norms and losses that stand out, and the lists afterwards",
    gpuScript: (harness) => checkEach(harness, SPIKES, [...spikesRows(), ...nearMeans()], spikesWords, wrongSpikes),
  },
]);
