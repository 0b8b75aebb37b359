/** For each kernel a small clip that needs it, and texts of the kernel that make a device compute wrongly. */
import { clampTo, clipTo, range, tensor, unit } from "../conformance/build.ts";
import { randomBits } from "../conformance/numbers.ts";
import { alongAxes, perExample, perTensor } from "../conformance/rules.ts";
import type { Tensor, Unit } from "../conformance/types.ts";
import type { ShaderLie } from "./lyingDevice.ts";

export interface KernelLies {
  /** How its name begins. */
  readonly kernel: string;
  readonly clip: () => Unit;
  /** What the kernel does then. */
  readonly lies: Readonly<Record<string, ShaderLie>>;
}

/** Whole tiles and a rest, in words of 16 bytes; on software in several workgroups under `FINE_GRID`. */
const LENGTH = 212;
export const FINE_GRID = { minTiles: 1 };

export const FOLD: ShaderLie = [/half > 0u; half -= \(half \+ 1u\) \/ 2u/g, "half > 1u; half /= 2u"];
const HALF_OF_LANES: ShaderLie = [/found\[lane\] = mine;/g, "if (lane % 2u == 0u) { found[lane] = mine; }"];

function random(length: number, seed: number, extras: Partial<Tensor> = {}): Tensor {
  return { bits: randomBits(length, seed), ...extras };
}

const joint = () => unit("one norm", [random(LENGTH, 1)], clipTo(0.75));
const perTensorClip = () =>
  unit(
    "a norm each",
    range(5).map((k) => random(k < 2 ? LENGTH : 100, k + 1)),
    perTensor(0.75),
  );
const alongAxis = () => unit("a norm for each column", [random(300 * 4, 1, { shape: [300, 4] })], alongAxes(0.75, [0]));
const values = () =>
  unit(
    "values",
    [tensor([...range(LENGTH - 8).map((i) => ((i * 37) % 101) / 10 - 5), 9, -9, 1.5, -1.5, 8, -8, 2, -2])],
    clampTo(-1.5, 2),
  );
const examples = () => unit("examples", [random(6 * 20, 1)], perExample(0.75, 6));

export const kernelLies: Readonly<Record<string, KernelLies>> = {
  norm: {
    kernel: "norm l2",
    clip: joint,
    lies: {
      "leaves out one load of four": [/\(word_terms\(c\) \+ word_terms\(d\)\)/g, "word_terms(c)"],
      "leaves out what is behind whole tiles": [/rest \+= word_terms\(a\);/g, ""],
      "takes off what it should add": [/stretch \+= \(word_terms\(a\) \+ word/g, "stretch += (word_terms(a) - word"],
      "leaves out the last round of the fold": FOLD,
      "loses what half of the lanes found": HALF_OF_LANES,
    },
  },
  unit_norm: {
    kernel: "unit norm l2",
    clip: alongAxis,
    lies: {
      "leaves out one value of four": [/fast_terms\(values\.z\) \+ fast_terms\(values\.w\)/g, "fast_terms(values.z)"],
      "forgets all but the last stretch": [
        /total = added\(total, wide_sum\(stretch\)\);/g,
        "total = wide_sum(stretch);",
      ],
      "begins one value late": [/- start \+ member % lanes;/g, "- start + member % lanes + 1u;"],
      "leaves out the last round of the fold": FOLD,
    },
  },
  finish: {
    kernel: "finish l2",
    clip: joint,
    lies: {
      "sees the partials of the first workgroups only": [
        /let a = partials\[i\];/g,
        "var a = nothing(); if (i < 2u) { a = partials[i]; }",
      ],
      "loses digits of a quotient": [/let digits = \(first\.x << 13u\) \+ second\.x;/g, "let digits = first.x << 13u;"],
      "loses digits of a root": [/let digits = \(first << 14u\) \+ .*;/g, "let digits = first << 14u;"],
      "does not flag what is clipped": [/select\(0u, CLIPPED, clipped\)/g, "0u"],
      "leaves out the last round of the fold": FOLD,
    },
  },
  finish_groups: {
    kernel: "finish groups l2",
    clip: perTensorClip,
    lies: {
      "sees the first partial of a group only": [/i < each; i \+= LANES/g, "i < min(each, 1u); i += LANES"],
      "takes the partials of another group": [/\+ inBundle \* each;/g, "+ (inBundle ^ 1u) * each;"],
      "takes the bundle before": [/bundles\[middle \* BUNDLE_WORDS\] <= g/g, "bundles[middle * BUNDLE_WORDS] < g"],
      "writes the entry of the next group": [/entries\[g\] = /g, "entries[g + 1u] = "],
      "leaves out the last round of the fold": FOLD,
    },
  },
  scale: {
    kernel: "scale in-place",
    clip: joint,
    lies: {
      "writes words one place off": [/(\w+)\[i \+ shift\] = fast_word\(a/g, "$1[i + shift + 1u] = fast_word(a"],
      "writes one word for another": [/fast_word\(b, /g, "fast_word(a, "],
      "leaves what is behind whole tiles": [/\w+\[i \+ shift\] = fast_word\(read_\d+\(i\).*;/g, ""],
    },
  },
  "scale by groups": {
    kernel: "scale groups in-place",
    clip: perTensorClip,
    lies: {
      "takes the scale of the next group": [/entries\[segment_at\(s\)\.group\]/g, "entries[segment_at(s).group + 1u]"],
      "takes the second factor": [/bitcast<f32>\(scaling\.scale\.x\)/g, "bitcast<f32>(scaling.scale.y)"],
      "leaves what is behind whole tiles": [/\w+\[i \+ shift\] = fast_word\(read_\d+\(i\).*;/g, ""],
    },
  },
  "scale by units": {
    kernel: "scale units in-place",
    clip: alongAxis,
    lies: {
      "takes the first unit's scale": [/entry_scaling\(group \+ at\.unit\)/g, "entry_scaling(group)"],
      "leaves the last value of a word": [
        /k < ELEMENTS; k \+= 1u\) \{\s*let scaling/g,
        "k + 1u < ELEMENTS; k += 1u) { let scaling",
      ],
      "leaves all but its first words": [/i < end; i \+= WORKGROUP/g, "i < min(end, WORKGROUP); i += WORKGROUP"],
      "changes signs": [/bitcast<f32>\(bits\) \* factor/g, "bitcast<f32>(bits) * -factor"],
    },
  },
  clamp: {
    kernel: "clamp",
    clip: values,
    lies: {
      "leaves what is too low": [/let isLow = place < all\.low;/g, "let isLow = place < place;"],
      "takes negative values for large ones": [/select\(bits \| Word\(SIGN\), /g, "select(bits, "],
      "writes one word twice": [/second = third;/g, ""],
      "does not flag what is clipped": [/\(\*mine\)\.flags \|= select\(0u, CLIPPED, .*\);/g, ""],
      "tells no largest magnitude": [/mine\.largest = largest_of\(largest\);/g, ""],
    },
  },
  sum_examples: {
    kernel: "sum examples",
    clip: examples,
    lies: {
      "keeps the last example only": [/part \+= bitcast/g, "part = bitcast"],
      "takes the first example's scale for all": [
        /let entry = entries\[segment\.group \+ m\];/g,
        "let entry = entries[segment.group];",
      ],
      "reads one example twice": [/second = third;/g, ""],
      "adds one example too few": [/var m = 0u;/g, "var m = 1u;"],
    },
  },
};
