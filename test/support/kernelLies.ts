/** For each kernel a small clip that needs it, and texts of the kernel that make a device compute wrongly. */
import { skipAbove } from "../../src/index.ts";
import { clampTo, clipTo, range, tensor, unit } from "../conformance/build.ts";
import { GUARD_BYTES } from "../conformance/memory.ts";
import { randomBits, randomBits16 } from "../conformance/numbers.ts";
import { alongAxes, perExample, perTensor, skipped } from "../conformance/rules.ts";
import type { Tensor, Unit } from "../conformance/types.ts";
import type { ShaderLie } from "./lyingDevice.ts";

export interface KernelLies {
  /** How its name begins. */
  readonly kernel: string;
  readonly clip: () => Unit;
  /** As few as it needs; default 2, one of them for a gradient. */
  readonly storageBuffers?: number;
  /** What the kernel does then. */
  readonly lies: Readonly<Record<string, ShaderLie>>;
  /** What neither the gradients nor the report show. */
  readonly unseen?: Readonly<Record<string, ShaderLie>>;
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
const five = range(5).map((k) => random(k < 2 ? LENGTH : 100, k + 1));
const perTensorClip = () => unit("a norm each", five, perTensor(0.75));
/** The norm of all is about 15. */
const spike = () => unit("a spike", five, skipped(perTensor(0.75)), { options: { skip: skipAbove(5) } });
const noSpike = () => unit("no spike", five, perTensor(0.75), { options: { skip: skipAbove(50) } });
const alongAxis = () => unit("a norm for each column", [random(300 * 4, 1, { shape: [300, 4] })], alongAxes(0.75, [0]));
const values = () =>
  unit(
    "values",
    [tensor([...range(LENGTH - 8).map((i) => ((i * 37) % 101) / 10 - 5), 9, -9, 1.5, -1.5, 8, -8, 2, -2])],
    clampTo(-1.5, 2),
  );
/** Elsewhere in its window than the source in its own. */
const into = { memory: "target", byteOffset: GUARD_BYTES + 64 };
const elsewhere = (maxNorm: number) => () => unit("into", [random(LENGTH, 1, { into })], clipTo(maxNorm));
/** Some float16 are subnormal, and so are some results. */
const halves = (dtype: "f16" | "bf16", maxNorm: number, magnitude?: number, extras: Partial<Tensor> = {}) => {
  const bits = randomBits16(dtype, LENGTH, 1, magnitude);
  return () => unit(dtype, [{ bits, dtype, ...extras }], clipTo(maxNorm));
};
const tinyHalves = halves("f16", 5e-4, 2 ** -13);
const examples = () => unit("examples", [random(6 * 20, 1)], perExample(0.75, 6));

export const kernelLies: Readonly<Record<string, KernelLies>> = {
  norm: {
    kernel: "norm l2 f32 vec4",
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
    kernel: "scale in-place f32 vec4",
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
    storageBuffers: 3,
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
  "norm of float16": {
    kernel: "norm l2 f16",
    clip: tinyHalves,
    lies: {
      "leaves out every other value": [/ \+ fast_terms\(more_values_of\(word\)\)/g, ""],
      "reads one value of a word twice": [/plain_values\(word >> Word\(16u\)\)/g, "plain_values(word)"],
      "takes subnormal values for normal ones": [/return min\(moved, .*\);/g, "return moved;"],
      "leaves out what is behind whole tiles": [/rest \+= word_terms\(a\);/g, ""],
    },
  },
  "norm of bfloat16": {
    kernel: "norm l2 bf16",
    clip: halves("bf16", 0.75),
    lies: {
      "leaves out every other value": [/ \+ fast_terms\(more_values_of\(word\)\)/g, ""],
    },
  },
  "scale of float16": {
    kernel: "scale in-place f16",
    clip: halves("f16", 0.75),
    lies: {
      "rounds towards 0": [/Word\(0xbc000fffu\) \+ .*;/g, "Word(0xbc000000u);"],
      "changes the values of a word over": [
        /return \(low >> (.*)\) \| \(\(high << /g,
        "return (high >> $1) | ((low << ",
      ],
      "loses signs": [/\(word & Word\(0x80008000u\)\) \| changed/g, "changed"],
      "writes one word for another": [/fast_word\(second, /g, "fast_word(word, "],
      "leaves what is behind whole tiles": [/while \(i < span\.end\)/g, "while (i < wholeEnd)"],
    },
  },
  "scale of subnormal float16": {
    kernel: "scale in-place f16",
    clip: tinyHalves,
    lies: {
      "flushes results to 0": [/max\(units, round\(units\) \* 0\.5 \+ 512\.0\)/g, "max(units, Values(512.0))"],
      "does not round them": [/round\(units\) \* 0\.5/g, "floor(units) * 0.5"],
    },
  },
  "scale of bfloat16": {
    kernel: "scale in-place bf16",
    clip: halves("bf16", 0.75),
    lies: {
      "rounds towards 0": [/return bits \+ Word\(0x7fffu\) \+ .*; \}/g, "return bits; }"],
      "loses signs": [/\(word & Word\(0x80008000u\)\) \| changed/g, "changed"],
    },
  },
  "scale into": {
    kernel: "scale into f32",
    clip: elsewhere(0.75),
    storageBuffers: 3,
    lies: {
      "writes where the source has its values": [/let shift = segment\.into - segment\.first;/g, "let shift = 0u;"],
      "writes one word for another": [/fast_word\(b, /g, "fast_word(a, "],
      "leaves what is behind whole tiles": [/\w+\[i \+ shift\] = fast_word\(read_\d+\(i\).*;/g, ""],
    },
  },
  "scale into, under the bound": {
    kernel: "scale into f32",
    clip: elsewhere(1000),
    storageBuffers: 3,
    lies: {
      "copies nothing": [/select\(COPY, LEAVE, \w+\)/g, "LEAVE"],
      "copies zeros": [/select\(scaled_word\(word, factor\), word, /g, "select(scaled_word(word, factor), Word(), "],
    },
    unseen: {
      "multiplies by 1 what it should copy": [/select\(COPY, LEAVE, \w+\)/g, "FAST"],
    },
  },
  "scale into float32": {
    kernel: "scale into f16 to f32",
    clip: halves("f16", 0.75, 1, { into, intoDtype: "f32" }),
    storageBuffers: 3,
    lies: {
      "reads the other value of a word": [/>> Word\(0u, 16u, 0u, 16u\)/g, ">> Word(16u, 0u, 16u, 0u)"],
      "loses signs": [/ \| \(\(halves & Word\(0x8000u\)\) << Word\(16u\)\)/g, ""],
    },
  },
  "clamp into": {
    kernel: "clamp into f32",
    clip: () => {
      const { tensors, rule } = values();
      // Off 16 bytes, so that a word is one value, and some stay as they are.
      const place = { ...into, byteOffset: into.byteOffset + 4 };
      return unit("values into", [{ ...(tensors[0] as Tensor), into: place }], rule);
    },
    storageBuffers: 4,
    lies: {
      "writes only what changes": [/any\(changed != word\) \|\| !\w+/g, "any(changed != word)"],
      "writes where the source has its values": [/let shift = segment\.into - segment\.first;/g, "let shift = 0u;"],
    },
  },
  "sum_examples into": {
    kernel: "sum examples into f32",
    clip: () => unit("examples into", [random(6 * 20, 1, { into, intoLength: 20 })], perExample(0.75, 6)),
    storageBuffers: 3,
    lies: {
      "adds to what was there": [/table\.accumulates != 0u/g, "true"],
      "keeps the last example only": [/part \+= bitcast/g, "part = bitcast"],
    },
  },
  skip_groups: {
    kernel: "skip groups",
    clip: spike,
    lies: {
      "does not flag what is skipped": [/entries\[g\]\.flags = .*;/g, ""],
      "gives the first group's verdict alone": [/g < arrayLength\(&entries\)/g, "g < 1u"],
      "never sees a spike": [/\(record\.flags & SPIKE\) == 0u/g, "true"],
    },
    // The flags alone make the gradients 0. An optimizer that takes the scales would see it.
    unseen: { "leaves the scales as they were": [/entries\[g\]\.scale = .*;/g, ""] },
  },
  "skip_groups of a good step": {
    kernel: "skip groups",
    clip: noSpike,
    lies: { "skips it": [/\(record\.flags & SPIKE\) == 0u/g, "false"] },
  },
};
